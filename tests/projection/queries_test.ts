import { assert, assertEquals, assertExists, assertRejects, assertStrictEquals } from "@std/assert";
import { LogError } from "../../src/log/event_log.ts";
import type { TaskQuery } from "../../src/protocol/client_frames.ts";
import type { TaskPage } from "../../src/protocol/server_frames.ts";
import { World } from "../connection/world.ts";
import { boundsOf } from "./bounds.ts";

const SMALL = boundsOf({ maxTasks: 2, maxEvents: 3 });

Deno.test("a task is told whole, from memory or from the log alike", async () => {
  const roomy = await World.booted();
  const small = await World.booted({ bounds: SMALL });
  for (const world of [roomy, small]) {
    world.put("old", "created", { name: "n", tags: ["a"] });
    world.put("old", "progress", { total: 4, completed: 1 });
    world.put("old", "failed", { error: "disk full" });
    for (const id of ["t1", "t2", "t3"]) world.put(id, "started");
    await world.follow();
  }
  assertEquals(small.projection.tasks.get("old"), undefined);
  const known = await roomy.queries.task("old");
  assertExists(known);
  assertEquals([known.data.status, known.data.progress.percentage, known.seq], ["failed", 25, 3]);
  assertEquals(await small.queries.task("old"), known);
  assertEquals(await small.queries.task("nobody"), undefined);
});

Deno.test("rubbish that is the last of its kind hides nothing of a task that has left memory", async () => {
  const world = await World.booted({ bounds: SMALL });
  world.put("old", "completed", { result: 7 });
  world.log.put({ subject: "task.old.completed", body: new Uint8Array([0xff]) });
  for (const id of ["t1", "t2", "t3"]) world.put(id, "started");
  await world.follow();
  assertEquals((await world.queries.task("old"))?.data.result, 7);
});

/** A page of a list that is had at once, as one of few tasks is. */
function listed(world: World, query: TaskQuery): TaskPage {
  const page = world.queries.list(query);
  assert(!(page instanceof Promise) && !("refused" in page));
  return page;
}

Deno.test("a page of the list says whether there is another", async () => {
  const world = await World.booted();
  for (let i = 0; i < 5; i++) world.put(`t${i}`, "started");
  await world.follow();
  const page = (page: number, limit: number) => {
    const { tasks, total, next_page } = listed(world, { page, limit });
    return { ids: tasks.map(({ task_id }) => task_id), total, next_page };
  };
  assertEquals(page(1, 2), { ids: ["t4", "t3"], total: 5, next_page: 2 });
  assertEquals(page(3, 2), { ids: ["t0"], total: 5, next_page: undefined });
  assertEquals(page(4, 2), { ids: [], total: 5, next_page: undefined });
  assertEquals(page(1, 5), { ids: ["t4", "t3", "t2", "t1", "t0"], total: 5, next_page: undefined });
  assertEquals(page(1_000_000, 1_000), { ids: [], total: 5, next_page: undefined });
});

Deno.test("a page of large tasks is smaller than asked for, and goes on by its own size", async () => {
  const world = await World.booted();
  for (let i = 0; i < 100; i++) world.put(`t${i}`, "completed", { result: "x".repeat(60_000) });
  await world.follow();
  const told: string[] = [];
  let query: { page: number; limit: number } | undefined = { page: 1, limit: 100 };
  while (query !== undefined) {
    const page: TaskPage = listed(world, query);
    assertEquals([page.tasks.length, page.limit, page.total], [50, query.page === 1 ? 50 : undefined, 100]);
    told.push(...page.tasks.map(({ task_id }) => task_id));
    query = page.next_page === undefined
      ? undefined
      : { page: page.next_page, limit: page.limit ?? query.limit };
  }
  assertEquals(told, Array.from({ length: 100 }, (_, i) => `t${99 - i}`));
});

Deno.test("many who come back at once look at the log's extent once, and nobody at an old one", async () => {
  const world = await World.booted();
  const first = world.queries.extent();
  assertStrictEquals(world.queries.extent(), first);
  await first;
  world.put("t0", "started");
  world.clock.advance(249);
  assertEquals((await world.queries.extent()).lastSeq, 0);
  world.clock.advance(1);
  assertEquals((await world.queries.extent()).lastSeq, 1);
});

Deno.test("an extent that could not be had, or that was of another life of the log, is asked for anew", async () => {
  const world = await World.booted();
  world.log.gate = () => Promise.reject(new LogError("unreachable", "away"));
  await assertRejects(() => world.queries.extent(), LogError);
  world.log.gate = () => Promise.resolve();
  assertEquals((await world.queries.extent()).epoch, "memory-1");
  world.log.recreate();
  await world.projection.boot();
  assertEquals((await world.queries.extent()).epoch, "memory-2");
});
