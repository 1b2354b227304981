import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { TaskReporter } from "../../src/worker/reporter.ts";
import { createWorker, type WorkerOptions } from "../../src/worker/worker.ts";
import { WorkerError } from "../../src/worker/worker_error.ts";
import { ManualClock, settled } from "./manual_clock.ts";
import { MemoryLog } from "./memory_log.ts";
import { untilAborted } from "./until_aborted.ts";

function setUp(options: WorkerOptions = {}) {
  const clock = new ManualClock();
  const log = new MemoryLog();
  const troubles: string[] = [];
  const worker = createWorker(log, {
    clock,
    onTrouble: (trouble) => troubles.push(trouble.message),
    ...options,
  });
  return { clock, log, troubles, worker };
}

const unreachable = new WorkerError("unreachable", "the log is away");
const refused = new WorkerError("refused", "you may not");

Deno.test("a run tells what the task is, how it goes, and its result", async () => {
  const { log, worker } = setUp();
  const about = { name: "Import", type: "import", tags: ["user-1"], parent_id: "night", total: 2 };
  const result = await worker.run("t", about, async (task) => {
    for await (const file of task.track(["a.csv", "b.csv"])) assertEquals(file.length, 5);
    return { rows: 3 };
  });
  assertEquals(result, { rows: 3 });
  assertEquals(log.story("t"), [
    ["created", about],
    ["started", { attempt: 1 }],
    ["progress", { attempt: 1, total: 2, current: "a.csv" }],
    ["completed", { attempt: 1, result: { rows: 3 }, progress: { total: 2, completed: 2 } }],
  ]);
});

Deno.test("progress is sent once a second while the work goes on, newest first", async () => {
  const { clock, log, worker } = setUp();
  const running = worker.run("t", {}, async (task) => {
    for (let completed = 1; completed <= 5; completed++) {
      task.progress({ total: 5, completed });
      await clock.advance(400);
    }
  });
  await running;
  const progress = log.events.filter(({ kind }) => kind === "progress");
  assertEquals(progress.map(({ json }) => JSON.parse(json).completed), [1, 3, 5]);
});

Deno.test("a status event goes behind the progress said before it, and a terminal one carries the last counters", async () => {
  const { clock, log, worker } = setUp();
  const task = worker.task("t");
  void task.started();
  task.progress({ total: 9, completed: 1 });
  task.progress({ completed: 2, status: "reading" });
  void task.paused();
  void task.resumed();
  task.progress({ completed: 3 });
  await task.completed();
  assertEquals(log.story("t"), [
    ["started", { attempt: 1 }],
    ["progress", { attempt: 1, total: 9, completed: 2, status: "reading" }],
    ["paused", { attempt: 1 }],
    ["resumed", { attempt: 1 }],
    ["completed", { attempt: 1, progress: { total: 9, completed: 3, status: "reading" } }],
  ]);
  assertEquals(clock.pending, 0);
});

Deno.test("work that throws ends the task as failed, with the counters of what was done", async () => {
  const { log, worker } = setUp();
  const broken = Object.assign(new Error("row 2 is broken"), { code: "BAD_ROW" });
  const thrown = await assertRejects(() =>
    worker.run("t", {}, async (task) => {
      for await (const n of task.track([1, 2, 3])) if (n === 2) throw broken;
    })
  );
  assert(thrown === broken);
  assertEquals(log.story("t").at(-1), ["failed", {
    attempt: 1,
    error: { message: "row 2 is broken", code: "BAD_ROW" },
    progress: { total: 3, completed: 1, current: "2" },
  }]);
});

Deno.test("a failed attempt is tried again under the next number, with counters of its own", async () => {
  const { clock, log, worker } = setUp();
  const running = worker.run("t", {
    total: 4,
    attempts: 3,
    attempt: 5,
    backoff: { firstMs: 2_000, jitter: 0 },
  }, (task) => {
    task.progress({ completed: task.attempt });
    if (task.attempt < 7) throw new Error(`attempt ${task.attempt}`);
    return "at last";
  });
  await clock.advance(2_000 + 4_000);
  assertEquals(await running, "at last");
  assertEquals(log.story("t"), [
    ["created", { total: 4 }],
    ["started", { attempt: 5 }],
    ["progress", { attempt: 5, total: 4, completed: 5 }],
    ["retrying", { attempt: 6, error: { message: "attempt 5" } }],
    ["started", { attempt: 6 }],
    ["progress", { attempt: 6, total: 4, completed: 6 }],
    ["retrying", { attempt: 7, error: { message: "attempt 6" } }],
    ["started", { attempt: 7 }],
    ["progress", { attempt: 7, total: 4, completed: 7 }],
    ["completed", { attempt: 7, result: "at last", progress: { total: 4, completed: 7 } }],
  ]);
});

Deno.test("the last attempt's error, or one not worth another attempt, ends the task", async () => {
  const { clock, log, worker } = setUp();
  const twice = worker.run(
    "twice",
    { attempts: 2 },
    (task) => Promise.reject(new Error(`no ${task.attempt}`)),
  );
  const never = worker.run(
    "never",
    { attempts: 2, retryIf: () => false },
    () => Promise.reject(new Error("no")),
  );
  const ends = Promise.all([
    assertRejects(() => twice, Error, "no 2"),
    assertRejects(() => never, Error, "no"),
  ]);
  await clock.advance(1_000);
  await ends;
  assertEquals(log.kinds("twice"), ["created", "started", "retrying", "started", "failed"]);
  assertEquals(log.kinds("never"), ["created", "started", "failed"]);
});

Deno.test("a request to cancel aborts the work, and the task ends as cancelled for its reason", async () => {
  const { log, worker } = setUp();
  const running = worker.run("t", {}, untilAborted);
  await settled();
  log.cancel("t", { attempt: 1, reason: "not needed" });
  const error = await assertRejects(() => running, DOMException, "the task was cancelled: not needed");
  assertEquals(error.name, "AbortError");
  assertEquals(log.story("t").at(-1), ["cancelled", { attempt: 1, reason: "not needed" }]);
  assertEquals(log.watchers("t"), 0);
});

Deno.test("a request to cancel an older attempt is ignored, one of this attempt is not", async () => {
  const { log, worker } = setUp();
  const running = worker.run("t", { attempt: 3, attempts: 2 }, untilAborted);
  const ended = assertRejects(() => running);
  await settled();
  log.cancel("t", { attempt: 2 });
  await settled();
  assertEquals(log.kinds("t"), ["created", "started"]);
  log.cancel("t", { attempt: 3 });
  await ended;
  assertEquals(log.kinds("t"), ["created", "started", "cancelled"]);
});

Deno.test("a cancel while the next attempt is waited for ends the task in that attempt", async () => {
  const { clock, log, worker } = setUp();
  const running = worker.run("t", { attempts: 2 }, () => Promise.reject(new Error("no")));
  const ended = assertRejects(() => running, DOMException);
  await settled();
  log.cancel("t");
  await settled();
  assertEquals(log.kinds("t"), ["created", "started", "retrying"], "attempt 1 is over");
  log.cancel("t", { attempt: 2 });
  await ended;
  assertEquals(log.story("t").at(-1), ["cancelled", { attempt: 2 }]);
  assertEquals(clock.pending, 0);
});

Deno.test("work that finishes although it was cancelled is completed, and what fails in spite of it has failed", async () => {
  const { log, worker } = setUp();
  const ends = async (id: string, end: (task: TaskReporter) => unknown) => {
    const running = worker.run(id, { attempts: 5 }, async (task) => {
      await untilAborted(task).catch(() => {});
      return end(task);
    });
    await settled();
    log.cancel(id);
    await running.catch(() => {});
    return log.kinds(id).at(-1);
  };
  assertEquals(await ends("ignores", () => "done"), "completed");
  assertEquals(await ends("breaks", () => Promise.reject(new Error("rollback failed"))), "failed");
  const wrapping = (task: TaskReporter) =>
    Promise.reject(new Error("request failed", { cause: task.signal.reason }));
  assertEquals(await ends("wraps", wrapping), "cancelled");
  assertEquals(await ends("aborts", () => Promise.reject(new DOMException("", "AbortError"))), "cancelled");
});

Deno.test("the caller's own signal cancels the task for its reason", async () => {
  const { log, worker } = setUp();
  const stop = new AbortController();
  const running = worker.run("t", { signal: stop.signal }, untilAborted);
  await settled();
  stop.abort(new Error("shutting down"));
  await assertRejects(() => running, Error, "shutting down");
  assertEquals(log.story("t").at(-1), ["cancelled", { attempt: 1, reason: "shutting down" }]);
});

Deno.test("the work does not wait for a log that is away, and the run ends when all is told", async () => {
  const { clock, log, troubles, worker } = setUp();
  log.mishap = () => ({ error: unreachable });
  let worked = false;
  let ended = false;
  const running = worker.run("t", {}, () => worked = true).then(() => ended = true);
  await clock.advance(1_000);
  assertEquals([worked, ended], [true, false]);
  log.mishap = () => undefined;
  await clock.advance(5_000);
  await running;
  assertEquals(log.kinds("t"), ["created", "started", "completed"]);
  assertEquals(troubles, ["the log is away"]);
});

Deno.test("a log that refuses the task rejects the run before the work begins", async () => {
  const { clock, log, worker } = setUp();
  log.mishap = () => ({ error: refused });
  let worked = false;
  await assertRejects(() => worker.run("t", {}, () => worked = true), WorkerError, "you may not");
  assertEquals([worked, clock.pending, log.watchers("t")], [false, 0, 0]);
});

Deno.test("what the task is has to follow the rules before anything is sent", async () => {
  const { log, worker } = setUp();
  await assertRejects(() => worker.run("a.b", {}, () => {}), WorkerError, 'task id "a.b"');
  await assertRejects(
    () => worker.run("t", { tags: ["a b"] }, () => {}),
    WorkerError,
    "created: body.tags.0",
  );
  await assertRejects(() => worker.run("t", { attempts: 0 }, () => {}), WorkerError, "attempts: must be");
  await assertRejects(
    () => worker.run("t", { attempt: 0.5 }, () => {}),
    WorkerError,
    "started: body.attempt",
  );
  assertThrows(() => worker.task("t").progress({ completed: -1 }), WorkerError, "progress: body.completed");
  assertEquals(log.sends, []);
});

Deno.test("a result that cannot be told does not undo the work", async () => {
  const { log, troubles, worker } = setUp();
  const result = { circle: {} };
  result.circle = result;
  assert(await worker.run("t", {}, () => result) === result);
  assertEquals(log.story("t").at(-1), ["completed", { attempt: 1 }]);
  assert(troubles[0]?.startsWith("completed: body: must be JSON"), troubles[0]);
});

Deno.test("work that says its own end is taken at its word", async () => {
  const { log, worker } = setUp();
  await worker.run("t", {}, async (task) => void await task.cancelled("nothing to do"));
  assertEquals(log.story("t").at(-1), ["cancelled", { attempt: 1, reason: "nothing to do" }]);
});

Deno.test("after its end a task takes no more status, ignores progress, and goes on only as another attempt", async () => {
  const { clock, log, worker } = setUp();
  const task = worker.task("t");
  await task.started();
  await task.failed("no");
  task.progress({ completed: 1 });
  assertEquals((await assertRejects(() => task.completed(), WorkerError)).code, "ended");
  await task.retrying("no");
  await task.started();
  await task.completed();
  assertEquals(log.kinds("t"), ["started", "failed", "retrying", "started", "completed"]);
  assertEquals([task.attempt, clock.pending, log.watchers("t")], [2, 0, 0]);
});

Deno.test("flush waits until held progress is stored, and rejects when the log refused some", async () => {
  const { log, troubles, worker } = setUp();
  const task = worker.task("t");
  task.progress({ completed: 1 });
  task.progress({ completed: 2 });
  await task.flush();
  assertEquals(log.story("t").at(-1), ["progress", { attempt: 1, completed: 2 }]);
  log.mishap = () => ({ error: refused });
  task.progress({ completed: 3 });
  await assertRejects(() => task.flush(), WorkerError, "you may not");
  assertEquals(troubles, ["you may not"]);
  log.mishap = () => undefined;
  await task.completed();
});

Deno.test("closing sends what is held, then rejects and aborts what goes on, and leaves nothing running", async () => {
  const { clock, log, troubles, worker } = setUp();
  const task = worker.task("slow");
  void task.started();
  task.progress({ completed: 1 });
  task.progress({ completed: 2 });
  const running = worker.run("t", {}, untilAborted);
  await settled();
  const ended = assertRejects(() => running, WorkerError, "the worker was closed");
  await worker.close();
  await ended;
  assertEquals(log.story("slow").at(-1), ["progress", { attempt: 1, completed: 2 }]);
  assertEquals(log.kinds("t"), ["created", "started"], "nobody knows how it would have ended");
  assertEquals((await assertRejects(() => task.completed(), WorkerError)).code, "closed");
  assertEquals([clock.pending, log.watchers("t"), log.watchers("slow"), log.disposed], [0, 0, 0, true]);
  assertEquals(troubles, []);
});

Deno.test("what is said of tasks after closing is refused, and leaves nothing running", async () => {
  const { clock, log, worker } = setUp();
  const [known, unknown] = [worker.task("known"), worker.task("unknown")];
  await known.started();
  await worker.close();
  for (const task of [known, unknown]) {
    assertEquals((await assertRejects(() => task.started(), WorkerError)).code, "closed");
    task.progress({ completed: 1 });
    await settled();
    assertEquals((await assertRejects(() => task.flush(), WorkerError)).code, "closed");
  }
  assertEquals([clock.pending, log.watchers("known"), log.watchers("unknown")], [0, 0, 0]);
});

Deno.test("closing waits for the log only so long, and tells what it left behind", async () => {
  const { clock, log, troubles, worker } = setUp({ closeMs: 3_000 });
  log.mishap = () => ({ error: unreachable });
  const started = assertRejects(() => worker.task("t").started(), WorkerError, "the worker was closed");
  const closed = worker.close();
  await clock.advance(3_000);
  await closed;
  await started;
  assertEquals(troubles, ["the log is away", "the worker was closed with 1 events not in the log"]);
  assertEquals(clock.pending, 0);
});

Deno.test("progress that had to make room in an outage is told again afterwards", async () => {
  const { clock, log, worker } = setUp({ maxQueued: 2 });
  log.mishap = () => ({ error: unreachable });
  const ids = ["a", "b", "c"];
  const tasks = ids.map((id) => worker.task(id));
  for (const task of tasks) task.progress({ completed: 7 });
  await clock.advance(10_000);
  log.mishap = () => undefined;
  await clock.advance(10_000);
  const newest = ["progress", { attempt: 1, completed: 7 }] as const;
  assertEquals(ids.map((id) => log.story(id).at(-1)), [newest, newest, newest]);
  await worker.close();
});
