import { assertEquals } from "@std/assert";
import { Scope } from "../../src/access/scope.ts";
import { boundsOf } from "../projection/bounds.ts";
import { untagged } from "../projection/task_names.ts";
import { type Peer, settled, World } from "./world.ts";

/** What a peer was told, in a word each. */
function told({ socket }: Peer): string[] {
  return socket.frames.flatMap((frame) => {
    switch (frame.type) {
      case "subscribed":
        return [`recovered ${frame.data.recovered}`];
      case "gap":
        return [
          `gap ${frame.data.topics} ${frame.data.missed_from}-${frame.data.missed_to} ${frame.data.reason}`,
        ];
      case "task_status":
        return [`${frame.data.task_id} ${frame.data.status}`];
      case "task_list": {
        const removed = "removed" in frame.data ? frame.data.removed : [];
        const tasks = frame.data.tasks.map(({ task_id, status }) => `${task_id} ${status}`);
        return [`list ${[...tasks, ...removed.map((id) => `-${id}`)].join(" ")}`];
      }
      case "caught_up":
        return [`caught_up ${frame.data.topics} ${frame.data.seq}`];
      default:
        return [];
    }
  });
}

async function say(world: World, task: string, kind: string): Promise<void> {
  world.put(task, kind);
  await world.follow();
  world.clock.advance(20);
  await settled();
}

async function comesBack(
  world: World,
  seq: number,
  topics: readonly string[] = ["task:list"],
): Promise<Peer> {
  const peer = world.connect({ query: { topics, since: { epoch: world.log.epoch, seq } } });
  await settled();
  return peer;
}

/** A world of tasks t1 (at 1), t2 (at 2), t3 (at 3), of which retention took the first two while t3 went on, at 4. */
async function expired(): Promise<World> {
  const world = await World.booted();
  for (const task of ["t1", "t2", "t3"]) await say(world, task, "started");
  world.expire(3);
  await say(world, "t3", "paused");
  return world;
}

Deno.test("who comes back to the list is told of the tasks that left it meanwhile", async () => {
  const world = await expired();
  assertEquals(told(await comesBack(world, 3)), [
    "recovered true",
    "list t3 paused -t1 -t2",
    "caught_up task:list 4",
  ]);
  assertEquals(told(await comesBack(world, 3, ["task:status"])), [
    "recovered true",
    "t3 paused",
    "caught_up task:status 4",
  ]);
});

Deno.test("so is who comes back though the log has nothing new, and who was told already may be again", async () => {
  const world = await World.booted();
  for (const task of ["t1", "t2"]) await say(world, task, "started");
  world.expire(2);
  assertEquals(told(await comesBack(world, 2)), ["recovered true", "list -t1", "caught_up task:list 2"]);
});

Deno.test("a task that left and is back is not told as gone", async () => {
  const world = await expired();
  await say(world, "t1", "started");
  assertEquals(told(await comesBack(world, 3)), [
    "recovered true",
    "list t3 paused t1 running -t2",
    "caught_up task:list 5",
  ]);
});

Deno.test("who is behind is told of what left the list with the page that follows it", async () => {
  const world = await World.booted();
  const peer = world.connect({ query: { topics: ["task:list"], replay: "none" } });
  for (const task of ["t1", "t2"]) await say(world, task, "started");
  peer.socket.congest();
  await say(world, "t3", "started");
  assertEquals(peer.connection.stateName, "behind");
  world.expire(2);
  await say(world, "t4", "started");
  peer.socket.drain();
  await settled();
  assertEquals(told(peer).slice(3), ["list t3 running", "list t4 running -t1"]);
  assertEquals(peer.connection.stateName, "live");
});

Deno.test("who leaves an audience before it was told of what left the list is told then, and once", async () => {
  const world = await World.booted({ flushMs: 1_000 });
  const peer = world.connect({ query: { topics: ["task:list"], replay: "none" } });
  for (const task of ["t1", "t2"]) await say(world, task, "started");
  world.clock.advance(2_000);
  await say(world, "t2", "paused");
  world.expire(2);
  peer.send("subscribe", { topics: ["task:id:x"], replay: "none" });
  peer.send("unsubscribe", { topics: ["task:id:x"] });
  world.clock.advance(2_000);
  await settled();
  assertEquals(told(peer).filter((word) => word.includes("-t1")), ["list -t1"]);
});

Deno.test("after a restart it is not known what left the list: a gap of it, and of nothing else", async () => {
  const world = await expired();
  await world.restart();
  assertEquals(told(await comesBack(world, 3, ["task:list", "task:status"])), [
    "recovered false",
    "gap task:list 4-4 retention",
    "list t3 paused",
    "t3 paused",
    "caught_up task:list,task:status 4",
  ]);
});

Deno.test("after a restart nothing is missing as long as no task can have left", async () => {
  const world = await World.booted();
  for (const task of ["t1", "t2"]) await say(world, task, "started");
  await world.restart();
  assertEquals(told(await comesBack(world, 1)), [
    "recovered true",
    "list t2 running",
    "caught_up task:list 2",
  ]);
});

Deno.test("who is behind when too many left the list is told so, and gets what else it holds", async () => {
  const world = await World.booted({ bounds: boundsOf({ maxEvents: 20_000 }) });
  const peer = world.connect({ query: { topics: ["task:list", "task:id:t1"], replay: "none" } });
  await say(world, "t1", "started");
  peer.socket.congest();
  await say(world, "t1", "paused");
  const many = Array.from({ length: 12_000 }, (_, i) => `gone${i}`);
  world.router.publish([], world.projection.head, untagged(...many));
  await say(world, "t1", "resumed");
  peer.socket.drain();
  await settled();
  assertEquals(told(peer).slice(-6), [
    "list t1 paused",
    "t1 paused",
    "gap task:list 3-3 retention",
    "list t1 running",
    "t1 running",
    "caught_up task:list 3",
  ]);
});

Deno.test("however many tasks of others left, who may not see them is told of its own and of no gap", async () => {
  const world = await World.booted();
  await say(world, "t1", "started");
  world.log.put({ subject: "task.a1.created", body: new TextEncoder().encode('{"tags":["ann"]}') });
  await world.follow();
  const gone = (tag: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ taskId: `${tag}-${i}`, tags: [tag] }));
  world.router.publish([], world.projection.head, [...gone("ann", 1), ...gone("bob", 20_000)]);
  const since = { epoch: world.log.epoch, seq: 1 };
  const query = { topics: ["task:list"], since };
  const scope = Scope.of(["task:tag:ann"]);
  const ann = world.connect({ access: { subject: "ann", rights: new Set(["subscribe"]), scope }, query });
  const root = world.connect({ query });
  await settled();
  assertEquals(told(ann), ["recovered true", "list a1 pending", "list -ann-0", "caught_up task:list 2"]);
  assertEquals(told(root).slice(0, 2), ["recovered false", "gap task:list 2-2 retention"]);
});
