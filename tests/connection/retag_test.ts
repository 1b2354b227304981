import { assertEquals } from "@std/assert";
import type { Access } from "../../src/access/access.ts";
import { Scope } from "../../src/access/scope.ts";
import { CHANNELS, TASKS } from "../../src/channel/built_in.ts";
import { channelSubject } from "../../src/channel/channel_subject.ts";
import { Namespaces } from "../../src/channel/namespaces.ts";
import { boundsOf } from "../projection/bounds.ts";
import { type Peer, settled, World, type WorldOptions } from "./world.ts";

function tenant(subject: string): Access {
  return { subject, rights: new Set(["subscribe"]), scope: Scope.of([`task:tag:${subject}`]) };
}

const ANN = tenant("ann");
const BOB = tenant("bob");

/** What a peer was told, in a word each. */
function told({ socket }: Peer): string[] {
  return socket.frames.flatMap((frame) => {
    switch (frame.type) {
      case "task_status":
        return [`${frame.data.task_id} ${frame.data.status}`];
      case "task_progress":
        return [`${frame.data.task_id} ${frame.data.progress.completed}`];
      case "task_list": {
        const removed = "removed" in frame.data ? frame.data.removed : [];
        const tasks = frame.data.tasks.map(({ task_id, status }) => `${task_id} ${status}`);
        return [`list ${[...tasks, ...removed.map((id) => `-${id}`)].join(" ")}`];
      }
      case "task_history":
        return [frame.data.events.map(({ seq, kind }) => `${seq} ${kind}`).join(", ")];
      case "error":
        return [`${frame.error.code} ${JSON.stringify(frame.error.details)}`];
      case "unsubscribed":
        return [`holds ${frame.data.topics.join(" ")}`];
      default:
        return [];
    }
  });
}

async function say(world: World, task: string, kind: string, body: object = {}): Promise<void> {
  world.put(task, kind, body);
  await world.follow();
  world.clock.advance(20);
  await settled();
}

/** Ann's task, which becomes Bob's at position 4. */
async function handedOver(options: WorldOptions = {}): Promise<World> {
  const world = await World.booted(options);
  await say(world, "t1", "created", { tags: ["ann"] });
  await say(world, "t1", "progress", { completed: 1 });
  await say(world, "t1", "paused");
  await say(world, "t1", "created", { tags: ["bob"] });
  await say(world, "t1", "completed");
  return world;
}

async function asked(world: World, access: Access, data: object, type = "get_history"): Promise<string[]> {
  const peer = world.connect({ access });
  peer.send(type, { task_id: "t1", ...data });
  await settled();
  return told(peer);
}

Deno.test("a history shows what its reader could have seen then, and no more", async () => {
  const world = await handedOver();
  assertEquals(await asked(world, BOB, {}), ["4 created, 5 completed"]);
  assertEquals(await asked(world, BOB, { after_seq: 2 }), ["4 created, 5 completed"]);
  assertEquals(await asked(world, BOB, { limit: 1 }), ["4 created"]);
  assertEquals(await asked(world, BOB, { limit: 1, after_seq: 4 }), ["5 completed"]);
  assertEquals(await asked(world, ANN, {}), ['TASK_NOT_FOUND {"task_id":"t1"}']);
  for (
    const scope of [Scope.of(["task:id:t1"]), Scope.of(["*"]), Scope.of(["task:tag:ann", "task:tag:bob"])]
  ) {
    const all = ["1 created, 2 progress, 3 paused, 4 created, 5 completed"];
    assertEquals(await asked(world, { ...BOB, scope }, {}), all, scope.key);
  }
});

Deno.test("a history that came back has what its reader saw before, and not what it did not", async () => {
  const world = await handedOver();
  await say(world, "t1", "created", { tags: ["ann", "more"] });
  assertEquals(await asked(world, ANN, {}), ["1 created, 2 progress, 3 paused, 6 created"]);
  assertEquals(await asked(world, ANN, { after_seq: 1 }), ["2 progress, 3 paused, 6 created"]);
  assertEquals(await asked(world, ANN, { after_seq: 3, limit: 1 }), ["6 created"]);
});

Deno.test("a history agrees with how the task was at each position", async () => {
  const world = await handedOver();
  for (const seq of [1, 2, 3]) {
    assertEquals(await asked(world, BOB, { at: { seq } }, "get_task"), ['TASK_NOT_FOUND {"task_id":"t1"}']);
  }
  assertEquals(await asked(world, BOB, { at: { seq: 4 } }, "get_task"), ["t1 paused"]);
});

Deno.test("of whom a task was is not guessed where retention took what told it", async () => {
  const world = await handedOver();
  world.expire(2);
  assertEquals(await asked(world, BOB, {}), ["4 created, 5 completed"]);
  const replay = world.connect({ access: BOB, query: { topics: ["task:status"], replay: "all" } });
  await settled();
  assertEquals(told(replay), ["t1 paused", "t1 completed"]);
});

for (
  const [what, bounds] of [
    ["from memory", boundsOf()],
    ["from the log", boundsOf({ maxEvents: 0 })],
  ] as const
) {
  Deno.test(`who loses a task from sight is told that its list lost it, ${what}`, async () => {
    const world = await World.booted({ bounds });
    await say(world, "t1", "created", { tags: ["ann"] });
    const [ann, bob, both, slow] = [
      ANN,
      BOB,
      { ...ANN, scope: Scope.of(["task:tag:ann", "task:tag:bob"]) },
      ANN,
    ].map((access) => world.connect({ access, query: { topics: ["task:list"], replay: "none" } }));
    slow?.socket.congest();
    await say(world, "t1", "started");
    await say(world, "t1", "created", { tags: ["bob"] });
    await say(world, "t1", "paused");
    slow?.socket.drain();
    await settled();
    world.clock.advance(100);
    await settled();
    assertEquals(ann && told(ann), ["list t1 running", "list -t1"]);
    assertEquals(bob && told(bob), ["list t1 running", "list t1 paused"]);
    assertEquals(both && told(both), ["list t1 running", "list t1 running", "list t1 paused"]);
    assertEquals(slow && told(slow).at(-1), "list -t1");
    // And who was away meanwhile.
    const since = { epoch: world.log.epoch, seq: 2 };
    const back = world.connect({ access: ANN, query: { topics: ["task:list"], since } });
    await settled();
    assertEquals(told(back), ["list -t1"]);
  });

  Deno.test(`who loses a task from sight does not hold its topics any more, ${what}`, async () => {
    const world = await World.booted({ bounds });
    await say(world, "t1", "created", { tags: ["ann"] });
    const topics = ["task:id:t1", "task:id:t1:status", "task:id:t2", "task:progress"];
    const live = world.connect({ access: ANN, query: { topics, replay: "none" } });
    const root = world.connect({ query: { topics, replay: "none" } });
    await say(world, "t1", "created", { tags: ["bob"] });
    await say(world, "t1", "completed");
    const since = { epoch: world.log.epoch, seq: 1 };
    const back = world.connect({ access: ANN, query: { topics, since } });
    await settled();
    for (const peer of [live, back]) {
      assertEquals(told(peer), [
        'FORBIDDEN {"topics":["task:id:t1","task:id:t1:status"]}',
        "holds task:id:t2 task:progress",
      ]);
    }
    await say(world, "t2", "created", { tags: ["ann"] });
    await say(world, "t2", "progress", { completed: 1, total: 2 });
    assertEquals(told(live).slice(2), ["t2 pending", "t2 1", "t2 running"]);
    assertEquals(told(back).slice(2), ["t2 pending", "t2 1", "t2 running"]);
    assertEquals(told(root).filter((word) => word.startsWith("FORBIDDEN")), []);
  });
}

for (
  const [what, bounds] of [
    ["from memory", boundsOf()],
    ["from the log", boundsOf({ maxEvents: 0 })],
    ["from memory, piece by piece", boundsOf({ maxEvents: 16 })],
    ["from a log that does not know where events lie", boundsOf({ maxEvents: 0, whereaboutsBytes: 0 })],
  ] as const
) {
  Deno.test(`who loses a task from sight does not hold its channels any more, ${what}`, async () => {
    const namespaces = new Namespaces([TASKS, ...CHANNELS, { name: "log", of: "task", conflation: "all" }]);
    const world = await World.booted({ bounds: { ...bounds, namespaces } });
    const line = async (text: string): Promise<void> => {
      const subject = channelSubject({ topic: "task:id:t1:log", key: "" });
      world.log.put({ subject, body: new TextEncoder().encode(JSON.stringify(text)) });
      await world.follow();
      world.clock.advance(20);
      await settled();
    };
    const replayed = async (access: Access, topics: readonly string[]): Promise<readonly unknown[]> => {
      const peer = world.connect({ access, query: { topics, replay: "all" } });
      await settled();
      world.clock.advance(100);
      await settled();
      return [linesOf(peer), told(peer)];
    };
    const topics = ["task:id:t1:log"];
    await say(world, "t1", "created", { tags: ["ann"] });
    const live = world.connect({ access: ANN, query: { topics, replay: "none" } });
    const root = world.connect({ query: { topics, replay: "none" } });
    await line("one");
    await say(world, "t1", "created", { tags: ["ann", "again"], name: "again" });
    await line("two");
    assertEquals(linesOf(live), ["one", "two"], "another attempt takes nothing away");
    assertEquals(await replayed(ANN, topics), [["one", "two"], []], "nor of the past");
    await say(world, "t1", "created", { tags: ["bob"] });
    await line("three");
    const left = ['FORBIDDEN {"topics":["task:id:t1:log"]}', "holds "];
    assertEquals([linesOf(live), told(live)], [["one", "two"], left]);
    assertEquals(await replayed(ANN, topics), [["one", "two"], left], "what was hers is hers");
    assertEquals(await replayed(BOB, topics), [["three"], []]);
    assertEquals([linesOf(root), told(root)], [["one", "two", "three"], []]);
    await say(world, "t1", "created", { tags: ["ann"] });
    await line("four");
    assertEquals(await replayed(ANN, topics), [["one", "two", "four"], []]);
  });
}

/** The values of channels that a peer was told. */
function linesOf({ socket }: Peer): unknown[] {
  return socket.frames.flatMap((frame) => frame.type === "channel_update" ? [frame.data.payload] : []);
}

Deno.test("who lost a task and got it back is told what the list came to", async () => {
  const world = await World.booted({ bounds: boundsOf({ maxEvents: 0 }) });
  await say(world, "t1", "created", { tags: ["ann"] });
  await say(world, "t1", "created", { tags: ["bob"] });
  await say(world, "t1", "created", { tags: ["ann"], name: "back" });
  const since = { epoch: world.log.epoch, seq: 1 };
  const topics = ["task:list", "task:id:t1"];
  const back = world.connect({ access: ANN, query: { topics, since } });
  await settled();
  assertEquals(told(back), ["list t1 pending", "t1 pending"]);
});
