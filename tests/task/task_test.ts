import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { fold } from "../../src/task/fold.ts";
import { ASKED, isTerminal, percentageOf, progressData, statusData, statusOf } from "../../src/task/task.ts";
import { KINDS } from "../../src/task/worker_event.ts";
import { TASK_STATUSES } from "../../src/protocol/client_frames.ts";
import { NO_PROGRESS, taskNamed } from "../sample_task.ts";
import { arbitraryDelivery, event, foldAll } from "./arbitrary_history.ts";

Deno.test("a first event of each kind asks for its status", () => {
  const asked = KINDS.map((kind) => [kind, statusOf(fold(undefined, event(kind, 1)))]);
  assertEquals(Object.fromEntries(asked), ASKED);
  assertEquals(TASK_STATUSES.filter(isTerminal), ["failed", "cancelled", "completed"]);
});

Deno.test("a task that only reported progress is running, and its percentage is the share processed", () => {
  const state = foldAll([event("progress", 3, { total: 8, completed: 2, failed: 1, current: "row 3" })]);
  const progress = { ...NO_PROGRESS, total: 8, completed: 2, failed: 1, current: "row 3", percentage: 37.5 };
  assertEquals(statusData(state, undefined), taskNamed("t", { progress, liveness: "live" }));
});

Deno.test("a life from created to completed is told whole", () => {
  const state = foldAll([
    event("created", 1, { name: "Import", type: "import", tags: ["eu", "数据"], parent_id: "p", total: 4 }),
    event("started", 2, { at: "2024-01-01T00:00:00Z" }),
    event("progress", 3, { completed: 4, status: "writing" }),
    event("completed", 4, { result: { rows: 4 }, at: "2024-01-01T02:10:00+02:00" }),
  ]);
  assertEquals(statusData(state, undefined), {
    task_id: "t",
    status: "completed",
    start_time: "2024-01-01T00:00:00.000Z",
    end_time: "2024-01-01T00:10:00.000Z",
    attempt: 1,
    name: "Import",
    type: "import",
    tags: ["eu", "数据"],
    parent_id: "p",
    reason: null,
    error: null,
    result: { rows: 4 },
    progress: {
      total: 4,
      completed: 4,
      failed: 0,
      current: null,
      percentage: 100,
      status: "writing",
      attempt: 1,
      rate: null,
      eta_ms: null,
    },
    created_time: "2024-01-01T00:00:01.000Z",
    liveness: null,
  });
});

Deno.test("an error is told while the task failed or waits to retry, and gone once it runs again", () => {
  const failed = event("failed", 2, { error: "disk full" });
  const retrying = event("retrying", 3, { attempt: 2, error: { message: "disk full", code: "ENOSPC" } });
  const started = event("started", 4, { attempt: 2 });
  const errors = [[failed], [failed, retrying], [failed, retrying, started]]
    .map((events) => statusData(foldAll(events), undefined).error);
  assertEquals(errors, [{ message: "disk full" }, { message: "disk full", code: "ENOSPC" }, null]);
});

Deno.test("a cancelled task tells the reason of the one who asked, unless it gives its own", () => {
  const asked = event("cancel_requested", 2, { reason: "too slow" });
  const reasons = [
    [asked],
    [asked, event("cancelled", 3)],
    [asked, event("cancelled", 3, { reason: "stopped after row 7" })],
    [asked, event("completed", 3)],
  ].map((events) => statusData(foldAll(events), undefined).reason);
  assertEquals(reasons, ["too slow", "too slow", "stopped after row 7", null]);
});

Deno.test("a task ends when its terminal event says, and has not ended while it runs", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      const { status, start_time, end_time, created_time } = statusData(foldAll(delivered), undefined);
      assertEquals(end_time !== null, isTerminal(status));
      for (const time of [start_time, end_time, created_time]) {
        if (time !== null) assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      }
    }),
  );
});

Deno.test("the percentage is null while the total is unknown or 0, unless the worker says one", () => {
  assertEquals(percentageOf(null, 5, null), null);
  assertEquals(percentageOf(0, 0, null), null);
  assertEquals(percentageOf(0, 5, null), null);
  assertEquals(percentageOf(null, 0, 12.5), 12.5);
  assertEquals(percentageOf(0, 0, 50), 50);
});

Deno.test("the percentage that the worker says wins over the counters", () => {
  assertEquals(percentageOf(100, 10, 42), 42);
  assertEquals(percentageOf(100, 10, 0), 0);
});

Deno.test("counters above the total are kept, and make 100 percent", () => {
  const state = foldAll([event("progress", 1, { total: 10, completed: 12, failed: 1 })]);
  const { total, completed, failed, percentage } = progressData(state, undefined);
  assertEquals([total, completed, failed, percentage], [10, 12, 1, 100]);
});

Deno.test("a percentage has two decimals at most and lies between 0 and 100", () => {
  assertEquals(percentageOf(3, 1, null), 33.33);
  assertEquals(percentageOf(3, 2, null), 66.67);
  assertEquals(percentageOf(null, 0, -5), 0);
  assertEquals(percentageOf(null, 0, 250), 100);
  const number = fc.double({ min: 0, max: 1e16, noNaN: true });
  fc.assert(
    fc.property(number, number, fc.option(fc.double({ noNaN: true })), (total, processed, said) => {
      const percentage = percentageOf(total, processed, said);
      if (percentage === null) return assertEquals([said, total], [null, 0]);
      assert(percentage >= 0 && percentage <= 100);
      assertEquals(percentage, Number(percentage.toFixed(2)));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("the total of created stands until the counters name one", () => {
  const created = event("created", 1, { total: 10 });
  const totals = [
    [created],
    [created, event("progress", 2, { completed: 1 })],
    [created, event("progress", 2, { completed: 1, total: 20 })],
    [created, event("progress", 2, { completed: 1, total: null })],
  ].map((events) => progressData(foldAll(events), undefined).total);
  assertEquals(totals, [10, 10, 20, 10]);
});
