import { assertEquals } from "@std/assert";
import { createWorker } from "../../src/worker/worker.ts";
import { EventServer } from "./event_server.ts";
import { ManualClock } from "./manual_clock.ts";
import { MemoryLog } from "./memory_log.ts";

function setUp(heartbeatMs?: number) {
  const clock = new ManualClock(0);
  const log = new MemoryLog();
  const worker = createWorker(log, {
    clock,
    onTrouble: () => {},
    progressIntervalMs: 1_000,
    ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
  });
  return { clock, log, worker };
}

Deno.test("a task at work that says nothing says its progress again every ten seconds", async () => {
  const { clock, log, worker } = setUp();
  const task = worker.task("t");
  await task.started();
  await clock.advance(9_000);
  task.progress({ completed: 4, total: 9 });
  await clock.advance(25_000);
  assertEquals(log.story("t"), [
    ["started", { attempt: 1 }],
    ["progress", { attempt: 1, completed: 4, total: 9 }],
    ["progress", { attempt: 1, completed: 4, total: 9 }],
    ["progress", { attempt: 1, completed: 4, total: 9 }],
  ]);
  await task.completed();
  assertEquals(clock.pending, 0, "nothing runs on when it has ended");
});

Deno.test("who has something to say needs no heartbeat, and who never had says that it is there", async () => {
  const { clock, log, worker } = setUp(5_000);
  const task = worker.task("t");
  await task.started();
  await clock.advance(5_500);
  assertEquals(log.story("t").slice(1), [["progress", { attempt: 1 }]]);
  for (let completed = 1; completed <= 10; completed++) {
    task.progress({ completed });
    await clock.advance(4_000);
  }
  assertEquals(log.kinds("t").length, 12);
  await task.failed("no more");
});

Deno.test("nothing is repeated while a task stands still on purpose, or waits for its next attempt", async () => {
  const { clock, log, worker } = setUp(1_000);
  const task = worker.task("t");
  task.progress({ completed: 1 });
  await task.paused();
  await clock.advance(60_000);
  assertEquals(log.kinds("t"), ["progress", "paused"]);
  await task.resumed();
  await clock.advance(1_500);
  await task.retrying("once more");
  await clock.advance(60_000);
  assertEquals(log.kinds("t"), ["progress", "paused", "resumed", "progress", "retrying"]);
  await task.started();
  await clock.advance(1_500);
  assertEquals(log.story("t").at(-1), ["progress", { attempt: 2 }]);
  await worker.close();
  assertEquals(clock.pending, 0);
});

Deno.test("0 has no heartbeat", async () => {
  const { clock, log, worker } = setUp(0);
  const task = worker.task("t");
  await task.started();
  await clock.advance(600_000);
  assertEquals(log.kinds("t"), ["started"]);
  await task.cancelled();
});

Deno.test("a clock that is set neither hurries a heartbeat nor holds it back", async () => {
  for (const byMs of [-3_600_000, 3_600_000]) {
    const { clock, log, worker } = setUp();
    const task = worker.task("t");
    await task.started();
    clock.set(byMs);
    await clock.advance(9_000);
    assertEquals(log.kinds("t"), ["started"]);
    await clock.advance(21_500);
    assertEquals(log.kinds("t"), ["started", "progress", "progress", "progress"]);
    await task.completed();
  }
});

Deno.test("a process that has nothing left to do ends, whatever task it has not ended", async () => {
  await using server = await EventServer.start();
  const script = new URL("forgetful_process.ts", import.meta.url).pathname;
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", script, server.url],
    signal: AbortSignal.timeout(15_000),
  }).output();
  assertEquals(code, 0);
  // On a busy machine there was time for a heartbeat while it waited for the first answer.
  assertEquals([...new Set(server.events.map(({ kind }) => kind))], ["progress"]);
});
