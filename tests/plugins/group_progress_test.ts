import { assert, assertEquals } from "@std/assert";
import group from "../../src/plugins/examples/group_progress.ts";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";

/** A gateway with groups; `percentage` is how far a task is for it. */
async function setUp(settings: Readonly<Record<string, string>> = {}) {
  const live = await LiveGateway.start(settings);
  const { pipeline } = live.gateway;
  assert(pipeline !== undefined);
  pipeline.plugins.add(group);
  const percentageOf = (id: string) =>
    pipeline.projection.tasks.get(id)?.state.greatest.progress?.body.percentage;
  return { live, pipeline, percentageOf };
}

Deno.test("a part moves its group only where it carries the group's tags, and no group comes of a name alone", async () => {
  const { live, pipeline, percentageOf } = await setUp();
  await using _ = live;
  await live.append(eventOf("theirs", "created", { tags: ["tenant-a"] }));
  await live.append(eventOf("forged", "created", { parent_id: "theirs", tags: ["tenant-b"] }));
  await live.append(eventOf("forged", "completed"));
  await live.append(eventOf("stray", "created", { parent_id: "nobody" }));
  await live.append(eventOf("own", "created", { parent_id: "theirs", tags: ["x", "tenant-a"] }));
  await live.append(eventOf("own", "progress", { total: 4, completed: 1 }));
  await eventually("its own part moves it", () => percentageOf("theirs") === 25);
  assertEquals(pipeline.projection.tasks.get("nobody"), undefined);
});

Deno.test("a group of many parts is summed up now and then, and in the end", async () => {
  const { live, pipeline, percentageOf } = await setUp();
  await using _ = live;
  await live.append(eventOf("all", "created"));
  const ids = Array.from({ length: 1_000 }, (_, i) => `part-${i}`);
  await live.append(...ids.map((id) => eventOf(id, "created", { parent_id: "all" })));
  await live.append(...ids.map((id) => eventOf(id, "completed")));
  await eventually("all is done", () => percentageOf("all") === 100);
  assert((pipeline.projection.counts.events.progress ?? 0) < 100, "each part did not cost a walk over all");
  assertEquals(pipeline.plugins.list().slice(0, 1).map(({ failed, missed }) => [failed, missed]), [[0, 0]]);
});

Deno.test("more groups than are told at once are all summed up, though nothing else happens then", async () => {
  const { live, pipeline, percentageOf } = await setUp();
  await using _ = live;
  const ids = Array.from({ length: 450 }, (_, i) => `${i}`);
  pipeline.plugins.disable("group_progress");
  await live.append(...ids.map((id) => eventOf(`group-${id}`, "created")));
  await live.append(...ids.map((id) => eventOf(`part-${id}`, "created", { parent_id: `group-${id}` })));
  await live.append(...ids.map((id) => eventOf(`part-${id}`, "progress", { total: 2, completed: 1 })));
  await eventually("all is followed", () => pipeline.projection.head === 3 * ids.length);
  const areAll = (percentage: number) => ids.every((id) => percentageOf(`group-${id}`) === percentage);
  pipeline.plugins.enable("group_progress");
  await eventually("as it is at first", () => areAll(50));
  await live.append(...ids.map((id) => eventOf(`part-${id}`, "completed")));
  await eventually("as it became", () => areAll(100));
  const told = (pipeline.projection.counts.events.progress ?? 0) - ids.length;
  assert(told < 3 * ids.length, "and twice each, but for a few of which the last word was not back yet");
});

Deno.test("a group does not go back when parts of it that have ended leave memory", async () => {
  const { live, pipeline, percentageOf } = await setUp({ MAX_TASKS: "10000" });
  await using _ = live;
  await live.append(eventOf("all", "created"));
  const parts = Array.from({ length: 10 }, (_, i) => `part-${i}`);
  await live.append(...parts.map((id) => eventOf(id, "created", { parent_id: "all", total: 1 })));
  await live.append(...parts.slice(0, 4).map((id) => eventOf(id, "completed")), eventOf("part-4", "failed"));
  await eventually("half is done", () => percentageOf("all") === 50);
  for (let from = 0; from < 11_000; from += 1_000) {
    await live.append(...Array.from({ length: 1_000 }, (_, i) => eventOf(`other-${from + i}`, "completed")));
  }
  const { tasks } = pipeline.projection;
  await eventually("those that ended are gone", () => tasks.get("part-0") === undefined);
  await live.append(eventOf("part-5", "completed"));
  await eventually("the sixth counts beside them", () => percentageOf("all") === 60);
  const { body } = tasks.get("all")?.state.greatest.progress ?? {};
  assertEquals([body?.total, body?.completed, body?.failed], [10, 5, 1]);
  // As after a restart: what it said itself is all that is known of those that left.
  pipeline.plugins.remove("group_progress");
  pipeline.plugins.add(group);
  await live.append(eventOf("part-6", "completed"));
  await eventually("a seventh counts beside them", () => percentageOf("all") === 70);
  assertEquals(tasks.get("all")?.state.greatest.progress?.body.failed, 1);
  await live.append(...parts.slice(7).map((id) => eventOf(id, "completed")));
  await eventually("then all is done", () => percentageOf("all") === 100);
});

Deno.test("what a worker says of its group is not taken for parts that have ended, nor is a part that goes elsewhere", async () => {
  const { live, pipeline, percentageOf } = await setUp();
  await using _ = live;
  const sumOf = (id: string) => {
    const { body } = pipeline.projection.tasks.get(id)?.state.greatest.progress ?? {};
    return [body?.total, body?.completed, body?.failed, body?.percentage];
  };
  await live.append(eventOf("all", "created", { total: 500 }));
  for (const id of ["one", "two"]) await live.append(eventOf(id, "created", { parent_id: "all", total: 1 }));
  await live.append(eventOf("one", "progress", { completed: 1, total: 2 }));
  await eventually("a quarter is done", () => percentageOf("all") !== undefined);
  await eventually("of two parts", () => sumOf("all")[0] === 2);
  await live.append(eventOf("one", "completed"));
  await eventually("of two one is done", () => sumOf("all")[1] === 1);
  await live.append(eventOf("other", "created"));
  await live.append(eventOf("two", "created", { parent_id: "other" }));
  await eventually("it counts there", () => sumOf("other")[0] === 1);
  await eventually("and no more where it was", () => sumOf("all")[0] === 1);
  assertEquals(sumOf("all"), [1, 1, 0, 100]);
});
