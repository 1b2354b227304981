import { assertEquals } from "@std/assert";
import { settled, World } from "../connection/world.ts";
import { Asking, event } from "./asking.ts";

const decoder = new TextDecoder();

/** The requests to cancel that are in the log, as `<seq> <task> <body>`. */
async function requestsIn({ log }: Asking): Promise<string[]> {
  const { entries } = await log.read({ after: 0, limit: 1_000 });
  return entries.flatMap(({ seq, subject, body }) => {
    const [, taskId, kind] = subject.split(".");
    return kind === "cancel_requested" ? [`${seq} ${taskId} ${decoder.decode(body)}`] : [];
  });
}

const requested = (seq: number): unknown => ({
  kind: "reply",
  type: "cancel_requested",
  data: { task_id: "job1", seq },
});

Deno.test("cancel_task puts a request for the present attempt into the log, once", async () => {
  await using asking = await Asking.of([event("job1", "started"), event("job1", "retrying", { attempt: 2 })]);
  const cancel = async (data: object = {}): Promise<unknown> =>
    await asking.ask("cancel_task", { task_id: "job1", ...data });
  assertEquals(await cancel({ reason: 'too "slow"' }), requested(3));
  assertEquals(await cancel(), requested(3), "before the gateway has read it");
  await asking.append();
  assertEquals(await cancel({ reason: "another" }), requested(3));
  const request = '3 job1 {"attempt":2,"reason":"too \\"slow\\""}';
  assertEquals(await requestsIn(asking), [request]);
  await asking.append(event("job1", "retrying", { attempt: 3 }));
  assertEquals(await cancel({ reason: null }), requested(5), "another attempt is another matter");
  assertEquals(await requestsIn(asking), [request, '5 job1 {"attempt":3}']);
});

Deno.test("a task that has ended cannot be cancelled, in memory or not, and one that nobody knows is not found", async () => {
  await using asking = await Asking.of([event("job1", "failed")], { maxTasks: 1 });
  const refused: unknown = {
    kind: "error",
    isValid: true,
    error: {
      code: "INVALID_MESSAGE",
      message: "task job1 has ended: failed",
      details: { task_id: "job1", status: "failed" },
    },
  };
  assertEquals<unknown>(await asking.ask("cancel_task", { task_id: "job1" }), refused);
  await asking.append(event("job2", "started"), event("job3", "started"));
  assertEquals<unknown>(await asking.ask("cancel_task", { task_id: "job1" }), refused);
  assertEquals<unknown>(await asking.ask("cancel_task", { task_id: "job9" }), {
    kind: "error",
    isValid: true,
    error: { code: "TASK_NOT_FOUND", message: "no task job9", details: { task_id: "job9" } },
  });
  assertEquals(await requestsIn(asking), []);
});

Deno.test("a client that cancels what has just ended is in the right, however often", async () => {
  const world = await World.booted();
  for (let i = 0; i < 30; i++) world.put(`t${i}`, "completed");
  await world.follow();
  const { socket, send } = world.connect();
  for (let i = 0; i < 30; i++) send("cancel_task", { task_id: `t${i}` });
  await settled();
  const codes = socket.frames.flatMap((frame) => frame.type === "error" ? [frame.error.code] : []);
  assertEquals(codes, new Array(30).fill("INVALID_MESSAGE"));
  assertEquals(socket.closed, undefined);
});
