import { assertEquals } from "@std/assert";
import { fits, listModel, moved, wordsOf } from "../../src/dashboard/list_model.ts";
import { NO_PROGRESS, taskNamed } from "../sample_task.ts";

const TASKS = [
  taskNamed("c", { tags: ["eu"], progress: { ...NO_PROGRESS, rate: 2, eta_ms: 9_000 } }),
  taskNamed("b", { status: "failed", tags: ["eu", "us"], name: "Import May" }),
  taskNamed("a", { progress: { ...NO_PROGRESS, rate: 3, eta_ms: 4_000 } }),
];

Deno.test("the counts are those of what fits but for the status, so that each status says what it would show", () => {
  const model = listModel(TASKS, { status: "failed", tag: "eu" });
  assertEquals(model.tasks.map(({ task_id }) => task_id), ["b"]);
  assertEquals([model.total, model.counts.running, model.counts.failed, model.counts.completed], [
    2,
    1,
    1,
    0,
  ]);
});

Deno.test("rates add up, and the last to end says when all have", () => {
  const { rate, etaMs } = listModel(TASKS, {});
  assertEquals([rate, etaMs], [5, 9_000]);
  const none = listModel([TASKS[1] ?? taskNamed("b")], {});
  assertEquals([none.rate, none.etaMs], [null, null]);
});

Deno.test("tags are offered by how many carry them, and the chosen one always", () => {
  assertEquals(listModel(TASKS, {}).tags, ["eu", "us"]);
  assertEquals(listModel(TASKS, { tag: "gone" }).tags, ["gone", "eu", "us"]);
});

Deno.test("every word must be found, in whatever describes the task, small or not", () => {
  const task = taskNamed("job_7", {
    name: "Import May",
    tags: ["欧洲"],
    progress: { ...NO_PROGRESS, current: "BTCUSDT" },
  });
  for (const text of ["", "  ", "import", "MAY job", "欧洲", "btc"]) {
    assertEquals(fits(task, undefined, wordsOf(text)), true, text);
  }
  for (const text of ["june", "import june", ".*"]) {
    assertEquals(fits(task, undefined, wordsOf(text)), false, text);
  }
});

Deno.test("the choice moves with the keys, stays at the ends, and begins anew where it is gone", () => {
  assertEquals([moved(TASKS, undefined, 1), moved(TASKS, undefined, -1)], ["c", "a"]);
  assertEquals([moved(TASKS, "c", 1), moved(TASKS, "c", -1), moved(TASKS, "a", 1)], ["b", "c", "a"]);
  assertEquals([moved(TASKS, "gone", 1), moved([], "c", 1)], ["c", undefined]);
});
