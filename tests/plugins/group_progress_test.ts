import { assert, assertEquals } from "@std/assert";
import group from "../../src/plugins/examples/group_progress.ts";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";

/** A gateway with groups; `percentage` is how far a task is for it. */
async function setUp() {
  const live = await LiveGateway.start();
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
