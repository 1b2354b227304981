import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { ProgressFold } from "../../src/client/progress_fold.ts";
import type { ServerFrame } from "../../src/protocol/server_frames.ts";
import { Audience, type Member } from "../../src/router/audience.ts";
import { Room } from "../../src/router/room.ts";
import { deliveriesOf, framesOf, lines, type Said } from "./deliveries.ts";

/** A member that keeps what was written, and what it comes to. */
class Watcher implements Member {
  congested = false;
  pacedAtMs = -Infinity;
  bytes = 0;
  readonly frames: ServerFrame[] = [];
  /** The frames as whoever did not ask for changes has them. */
  readonly whole: ServerFrame[] = [];
  readonly #fold = new ProgressFold();

  write(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    for (const frame of framesOf(bytes)) {
      this.frames.push(frame);
      const whole = this.#fold.whole(frame);
      assert(whole !== undefined, `${frame.id} goes on from what it was never told`);
      this.whole.push(whole);
    }
  }

  lost(): void {}
  lagged(): void {}
}

const TOPICS = new Set(["task:progress", "task:status"]);

/** An audience whose progress is told by what changed, and one that is told the same whole. */
function both(paceMs = 0): readonly Audience[] {
  return [{ ...lines(), name: "json delta", hasDeltas: true }, lines()].map((codec) =>
    new Audience({ key: codec.name, topics: TOPICS, codec, paceMs }, 0)
  );
}

const progress = (task: string, body: object): Said => ({ task, kind: "progress", body });

function add(to: Audience, said: ReturnType<typeof deliveriesOf>[number]): void {
  const { progress, status } = said;
  to.add({
    delivery: said,
    progress: progress !== undefined,
    status: status !== undefined,
    list: false,
    whole: false,
  });
}

Deno.test("progress is told by what changed since, and whole where there is nothing to go on from", () => {
  const [all] = both();
  assert(all !== undefined);
  const one = new Watcher();
  all.join(one, 0, 0);
  const told = deliveriesOf(
    { task: "t", kind: "started" },
    progress("t", { total: 10, completed: 1, current: "a".repeat(100) }),
    progress("t", { total: 10, completed: 2, current: "a".repeat(100) }),
    progress("t", { attempt: 2, total: 10, completed: 3 }),
    progress("u", { completed: 1 }),
    { task: "t", kind: "paused", body: { attempt: 2 } },
    progress("t", { attempt: 2, total: 10, completed: 4 }),
  );
  told.forEach((delivery, i) => {
    add(all, delivery);
    all.flush(delivery.seq, { nowMs: i, elapsedMs: i });
  });
  const shown = one.frames.map((frame) => frame.type === "progress_delta" ? frame.data : frame.type);
  assertEquals(shown.filter((what) => typeof what !== "string"), [
    {
      task_id: "t",
      base: 1,
      progress: { total: 10, completed: 1, current: "a".repeat(100), percentage: 10 },
    },
    { task_id: "t", base: 2, progress: { completed: 2, percentage: 20 } },
    { task_id: "t", base: 6, progress: { completed: 4, percentage: 40 } },
  ]);
});

type Step =
  | { readonly do: "event"; readonly said: Said }
  | { readonly do: "flush"; readonly patient: boolean; readonly ms: number }
  | { readonly do: "join" }
  | { readonly do: "leave"; readonly which: number };

const task = fc.constantFrom("a", "b", "c");
const counts = fc.record({
  total: fc.constantFrom(null, 10, 20),
  completed: fc.nat(20),
  current: fc.constantFrom(null, "here", "there"),
}, { requiredKeys: [] });
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ task, body: counts }).map(({ task, body }): Step => ({
        do: "event",
        said: progress(task, body),
      })),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        task,
        kind: fc.constantFrom("paused", "resumed", "started", "failed"),
        attempt: fc.integer({ min: 1, max: 3 }),
      })
        .map(({ task, kind, attempt }): Step => ({ do: "event", said: { task, kind, body: { attempt } } })),
    },
    {
      weight: 5,
      arbitrary: fc.record({ patient: fc.boolean(), ms: fc.constantFrom(1, 30, 6_000) }).map((
        flush,
      ): Step => ({ do: "flush", ...flush })),
    },
    { weight: 2, arbitrary: fc.constant<Step>({ do: "join" }) },
    { weight: 1, arbitrary: fc.nat(5).map((which): Step => ({ do: "leave", which })) },
  ),
  { minLength: 30, maxLength: 80, size: "max" },
);

Deno.test("whoever asked for changes comes to the frames that others are told, whenever it joined", () => {
  let deltas = 0;
  let saved = 0;
  fc.assert(
    fc.property(steps, fc.constantFrom(0, 0, 50), (all, paceMs) => {
      const audiences = both(paceMs);
      const told = deliveriesOf(...all.flatMap((step) => step.do === "event" ? [step.said] : []));
      const bySeq = new Map(told.map((delivery) => [delivery.seq, delivery]));
      let [events, elapsedMs] = [0, 0];
      const joined: Watcher[][] = [];
      const join = () => {
        joined.push(audiences.map((audience) => {
          const watcher = new Watcher();
          audience.join(watcher, events, events);
          return watcher;
        }));
      };
      join();
      for (const step of all) {
        if (step.do === "event") {
          const delivery = bySeq.get(++events);
          if (delivery !== undefined) { for (const audience of audiences) add(audience, delivery); }
        } else if (step.do === "flush") {
          elapsedMs += step.ms;
          for (const audience of audiences) {
            if (audience.dirty || audience.owes) {
              audience.flush(events, { nowMs: elapsedMs, elapsedMs }, step.patient && audience.isPatient);
            }
          }
        } else if (step.do === "join") {
          join();
        } else {
          audiences.forEach((audience, i) => {
            const gone = joined[step.which]?.[i];
            if (gone !== undefined) audience.leave(gone);
          });
        }
      }
      for (const [changes, whole] of joined) {
        assert(changes !== undefined && whole !== undefined);
        assertEquals(changes.whole, whole.frames);
        deltas += changes.frames.filter(({ type }) => type === "progress_delta").length;
        saved += whole.bytes - changes.bytes;
      }
    }),
    { numRuns: 300 },
  );
  assert(deltas > 100 && saved > 0, `${deltas} told by what changed, ${saved} bytes saved`);
});

Deno.test("where there is no room to remember what was told, more is told whole; and who leaves gives it back", () => {
  const room = new Room(3_000);
  const audiences = ["one", "other"].map((key) =>
    new Audience({ key, topics: TOPICS, codec: { ...lines(), name: "json delta", hasDeltas: true }, room }, 0)
  );
  const watchers = audiences.map((audience) => {
    const watcher = new Watcher();
    audience.join(watcher, 0, 0);
    return watcher;
  });
  const tasks = Array.from({ length: 40 }, (_, i) => `t${i}`);
  const told = deliveriesOf(
    ...[1, 2, 3].flatMap((completed) => tasks.map((task) => progress(task, { completed, total: 9 }))),
  );
  told.forEach((delivery, i) => {
    for (const audience of audiences) {
      add(audience, delivery);
      audience.flush(i + 1, { nowMs: i, elapsedMs: i });
    }
    assert(room.left >= 0);
  });
  const counters = (frames: readonly ServerFrame[]) =>
    frames.flatMap((frame) => frame.type === "task_progress" ? [frame.data.progress.completed] : []);
  const all = counters(told.flatMap(({ progress }) => progress === undefined ? [] : [progress.frame]));
  assertEquals(all.length, 120);
  for (const { whole } of watchers) assertEquals(counters(whole), all, "each is told all");
  audiences.forEach((audience, i) => audience.leave(watchers[i] ?? new Watcher()));
  assertEquals(room.left, 3_000);
});
