import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FillingPage, PAGE_BYTES } from "../../src/projection/filling_page.ts";
import type { TaskPage, TaskStatusData } from "../../src/protocol/server_frames.ts";
import { taskNamed } from "../sample_task.ts";

/** The page of `all` that is asked for. */
function pageOf(all: readonly TaskStatusData[], query: { page: number; limit: number }): TaskPage {
  const page = new FillingPage(query);
  const start = (query.page - 1) * query.limit;
  for (const task of all.slice(start, start + query.limit)) if (!page.add(task)) break;
  return page.done(all.length);
}

function tasksOf(weights: readonly number[]): TaskStatusData[] {
  return weights.map((weight, i) => ({ ...taskNamed(`t${i}`), result: "x".repeat(weight) }));
}

Deno.test("who goes on by the answer's limit is told each task once, in pages that are not too large", () => {
  const weights = fc.array(fc.constantFrom(0, 1_000_000, 1_000_000, 3_000_000, 5_000_000), { maxLength: 30 });
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 24 }), (weights, asked) => {
      const all = tasksOf(weights);
      const told: string[] = [];
      let query: { page: number; limit: number } | undefined = { page: 1, limit: asked };
      while (query !== undefined) {
        const { tasks, total, next_page, limit }: TaskPage = pageOf(all, query);
        const bytes = tasks.reduce((sum, task) => sum + JSON.stringify(task).length, 0);
        assert(tasks.length <= 1 || bytes <= PAGE_BYTES);
        assertEquals(total, all.length);
        told.push(...tasks.map(({ task_id }) => task_id));
        query = next_page === undefined ? undefined : { page: next_page, limit: limit ?? query.limit };
      }
      assertEquals(told, all.map(({ task_id }) => task_id));
    }),
    { numRuns: 30 },
  );
});

Deno.test("a page that is too large comes as the largest whose size divides it", () => {
  const all = tasksOf(new Array(12).fill(700_000));
  const { tasks, next_page, limit } = pageOf(all, { page: 1, limit: 12 });
  assertEquals([tasks.length, next_page, limit], [4, 2, 4]);
  const second = pageOf(all, { page: 2, limit: 6 });
  assertEquals([second.tasks[0]?.task_id, second.tasks.length, second.next_page, second.limit], [
    "t6",
    3,
    4,
    3,
  ]);
});

Deno.test("a page that is not says nothing of its size", () => {
  const all = tasksOf([1, 2, 3]);
  assertEquals(pageOf(all, { page: 1, limit: 2 }), { tasks: all.slice(0, 2), total: 3, next_page: 2 });
  assertEquals(pageOf(all, { page: 2, limit: 2 }), { tasks: all.slice(2), total: 3 });
});
