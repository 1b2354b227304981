import { assert, assertEquals, assertRejects } from "@std/assert";
import { LogError } from "../../src/log/event_log.ts";
import { isFor, type SnapshotChunk, SnapshotWalk } from "../../src/router/snapshot.ts";
import type { Frame } from "../websocket_client.ts";
import { boundsOf } from "../projection/bounds.ts";
import { World } from "../connection/world.ts";

const SMALL = boundsOf({ maxTasks: 2 });

/** A snapshot's frames, as short lines, chunk by chunk. */
async function walked(walk: SnapshotWalk): Promise<string[][]> {
  const chunks: string[][] = [];
  for (let done = false; !done;) {
    const chunk: SnapshotChunk = await walk.next(0);
    chunks.push(chunk.frames.map(lineOf));
    done = chunk.done;
  }
  return chunks;
}

function lineOf({ payload }: { readonly payload: Uint8Array }): string {
  // What the walk encoded is a frame.
  const frame = JSON.parse(new TextDecoder().decode(payload)) as Frame;
  if (frame.type === "task_list") return `list ${frame.data.tasks.map(({ task_id }) => task_id).join(" ")}`;
  if (frame.type === "task_status") return `${frame.data.task_id} ${frame.data.status} ${frame.seq}`;
  return frame.type === "task_progress"
    ? `${frame.data.task_id} ${frame.data.progress.completed} ${frame.seq}`
    : frame.type;
}

async function prepared(options: ConstructorParameters<typeof World>[0] = {}): Promise<World> {
  const world = await World.booted(options);
  world.put("open", "progress", { completed: 3 });
  world.put("ended", "progress", { completed: 5 });
  world.put("ended", "completed");
  world.put("tagged", "created", { tags: ["a", "b"] });
  await world.follow();
  return world;
}

/** A walk over the present state, for who may see every task. */
function walkOf(world: World, ...topics: string[]): SnapshotWalk {
  return new SnapshotWalk(world.projection, { topics, at: world.router.head, sees: () => true });
}

function snapshot(world: World, ...topics: string[]): Promise<string[][]> {
  return walked(walkOf(world, ...topics));
}

Deno.test("a snapshot has of all tasks those not ended, and of one that is named whatever it is", async () => {
  const world = await prepared();
  assertEquals(await snapshot(world, "task:status"), [["open running 1", "tagged pending 4"]]);
  assertEquals(await snapshot(world, "task:progress"), [["open 3 1"]]);
  assertEquals(await snapshot(world, "task:id:ended"), [["ended 5 2", "ended completed 3"]]);
  assertEquals(await snapshot(world, "task:id:ended:progress"), [["ended 5 2"]]);
  assertEquals(await snapshot(world, "task:id:unborn"), [[]]);
});

Deno.test("a task that several topics match is told once", async () => {
  const world = await prepared();
  const topics = ["task:tag:a", "task:tag:b:status", "task:status", "task:id:tagged", "task:id:open:status"];
  assertEquals(await snapshot(world, ...topics), [["tagged pending 4", "open running 1"]]);
  assertEquals(await snapshot(world, "task:tag:a", "task:tag:b"), [["tagged pending 4"]]);
});

Deno.test("the list has every task not ended, those too that are named beside it", async () => {
  const world = await prepared();
  assertEquals(await snapshot(world, "task:list"), [["list open tagged"]]);
  assertEquals(await snapshot(world, "task:list", "task:id:open:status", "task:id:ended:status"), [
    ["list open tagged", "open running 1", "ended completed 3"],
  ]);
});

Deno.test("what changed after its position is left out: who walks it meets that later", async () => {
  const world = await prepared();
  const at = world.router.head;
  world.put("open", "paused");
  world.put("tagged", "progress", { completed: 1 });
  world.put("new", "started");
  await world.follow();
  const walk = (...topics: string[]) =>
    walked(new SnapshotWalk(world.projection, { topics, at, sees: () => true }));
  assertEquals(await walk("task:status", "task:progress"), [["open 3 1"]]);
  assertEquals(await walk("task:id:open"), [["open 3 1"]]);
});

Deno.test("many tasks come in chunks, each once, though they end, begin, change and leave meanwhile", async () => {
  const world = await World.booted();
  const ids = Array.from({ length: 450 }, (_, i) => `t${i}`);
  for (const id of ids) world.put(id, "created", { tags: ["a"] });
  await world.follow();
  for (const [round, topic] of ["task:status", "task:tag:a"].entries()) {
    const walk = walkOf(world, topic);
    const told: string[] = [];
    let chunks = 0;
    for (let done = false; !done; chunks++) {
      const chunk = await walk.next(0);
      assert(chunk.frames.length <= 100);
      told.push(...chunk.frames.map((frame) => lineOf(frame).split(" ")[0] ?? ""));
      done = chunk.done;
      world.put(`t${chunks * 100 + 5}`, "created", { tags: ["a"] });
      world.put(`t${chunks * 100 + 150}`, "started");
      world.put(`t${chunks * 100 + 151}`, "completed");
      world.put(`new${round}-${chunks}`, "created", { tags: ["a"] });
      await world.follow();
    }
    assert(chunks >= 4, `${chunks} chunks`);
    assertEquals(told.length, new Set(told).size, "none twice");
    const changed = (id: string) => /^t\d*5[01]$/.test(id) || told.includes(id);
    assertEquals(ids.filter((id) => !changed(id)), [], "none left out but what changed");
    assert(!told.some((id) => id.startsWith(`new${round}`)), "and none that began later");
  }
});

Deno.test("a named task that has left memory is looked up, and what comes of an outage is lost for no other", async () => {
  const world = await World.booted({ bounds: SMALL });
  world.put("old", "progress", { completed: 2 });
  world.put("old", "failed");
  for (const id of ["t1", "t2"]) world.put(id, "started");
  await world.follow();
  assertEquals(world.projection.tasks.get("old"), undefined);
  const walk = walkOf(world, "task:id:t1", "task:id:old", "task:id:t2");
  const first = await walk.next(0);
  assertEquals([first.frames.map(lineOf), first.done], [["t1 running 3"], false]);
  world.log.gate = () => Promise.reject(new LogError("unreachable", "away"));
  await assertRejects(() => Promise.resolve(walk.next(0)), LogError);
  await assertRejects(() => Promise.resolve(walk.next(0)), LogError);
  world.log.gate = () => Promise.resolve();
  assertEquals((await walked(walk)).flat(), ["old 2 1", "old failed 2", "t2 running 4"]);
});

Deno.test("a task that has left memory is told as it was at the snapshot's position, not as the log has it by now", async () => {
  const world = await World.booted({ bounds: boundsOf({ maxTasks: 1 }) });
  world.put("old", "failed", { progress: { completed: 2 } });
  world.put("t1", "started");
  await world.follow();
  world.put("old", "failed", { progress: { completed: 7 } });
  assertEquals(world.projection.tasks.get("old"), undefined);
  const walk = walkOf(world, "task:id:old");
  assertEquals((await walked(walk)).flat(), ["old 2 1", "old failed 1"]);
});

Deno.test("each frame says whom it is for", async () => {
  const world = await prepared();
  const walk = walkOf(world, "task:status", "task:list", "task:tag:a");
  const { frames } = await walk.next(0);
  const whose = (...topics: string[]) => frames.filter((one) => isFor(one, new Set(topics))).map(lineOf);
  assertEquals(whose("task:list"), ["list open tagged"]);
  assertEquals(whose("task:tag:a"), ["tagged pending 4"]);
  assertEquals(whose("task:status"), ["open running 1", "tagged pending 4"]);
  assertEquals(whose("task:progress"), []);
});
