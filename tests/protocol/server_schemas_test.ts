import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import * as v from "valibot";
import type { ServerFrame } from "../../src/protocol/server_frames.ts";
import { BatchFrameSchema, ServerFrameSchema } from "../../src/protocol/server_schemas.ts";
import { progressData, statusData } from "../../src/task/task.ts";
import { arbitraryDelivery, foldAll } from "../task/arbitrary_history.ts";

/** `T` with every member readonly, so that a schema's output and a hand-written type can be compared. */
type Plain<T> = unknown extends T ? unknown
  : T extends object ? { readonly [K in keyof T]: Plain<T[K]> }
  : T;
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

Deno.test("the schemas of server frames and their types say the same", () => {
  // What this tests is that it compiles: a member that only one of the two has makes the type `false`.
  const same: Same<Plain<v.InferOutput<typeof ServerFrameSchema>>, Plain<ServerFrame>> = true;
  assert(same);
});

const pong: ServerFrame = { type: "pong", id: "p1", timestamp: 1, data: { server_time: 1 } };

Deno.test("a frame with a member too many, or one of the wrong type, is none of ours", () => {
  assert(v.is(ServerFrameSchema, pong));
  const wrong: unknown[] = [
    { ...pong, error: {} },
    { ...pong, seq: -1 },
    { ...pong, seq: undefined },
    { ...pong, timestamp: "1" },
    { ...pong, type: "pang" },
    { ...pong, data: {} },
    { ...pong, data: { server_time: 1, latency: 5 } },
    { type: "error", id: "e", timestamp: 1, error: { code: "NO_SUCH_CODE", message: "m", details: {} } },
    { type: "error", id: "e", timestamp: 1, error: { code: "SERVER_ERROR", message: "m" } },
  ];
  assertEquals(wrong.filter((frame) => v.is(ServerFrameSchema, frame)), []);
});

Deno.test("a batch holds frames, at least two and no batch", () => {
  const batch = (frames: unknown[]) => ({ type: "batch", id: "b1", timestamp: 1, data: { frames } });
  assert(v.is(BatchFrameSchema, batch([pong, pong])));
  const wrong = [batch([]), batch([pong]), batch([pong, batch([pong, pong])])];
  assertEquals(wrong.filter((frame) => v.is(BatchFrameSchema, frame)), []);
});

Deno.test("every history of a task makes frames that follow the schemas", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      const state = foldAll(delivered);
      const { seq, time } = state.top;
      const frames: ServerFrame[] = [
        {
          type: "task_status",
          id: `status_${seq}`,
          timestamp: time,
          seq,
          data: statusData(state, undefined),
        },
        {
          type: "task_progress",
          id: `progress_${seq}`,
          timestamp: time,
          data: { task_id: state.id, progress: progressData(state, undefined) },
        },
      ];
      for (const frame of frames) {
        const result = v.safeParse(ServerFrameSchema, JSON.parse(JSON.stringify(frame)));
        assertEquals(result.issues?.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`), undefined);
      }
    }),
    { numRuns: 300 },
  );
});
