import { assertEquals } from "@std/assert";
import { type Peer, settled, World } from "./world.ts";

function progressOf({ socket }: Peer): unknown[] {
  return socket.frames.flatMap((frame) =>
    frame.type === "task_progress" ? [frame.data.progress.completed] : []
  );
}

Deno.test("a pace asked for later holds for what is held already, and loses nothing", async () => {
  const world = await World.booted();
  const peer = world.connect({ query: { topics: ["task:progress"], replay: "none" } });
  const tell = async (completed: number) => {
    world.put("t0", "progress", { completed });
    await world.follow();
    world.clock.advance(20);
    await settled();
  };
  for (const completed of [1, 2]) await tell(completed);
  assertEquals(progressOf(peer), [1, 2]);
  peer.send("subscribe", { topics: ["task:progress"], max_rate_hz: 5 });
  assertEquals([peer.connection.stateName, world.router.audiences], ["live", 1]);
  for (const completed of [3, 4, 5, 6]) await tell(completed);
  assertEquals(progressOf(peer), [1, 2, 3]);
  world.clock.advance(200);
  await settled();
  assertEquals(progressOf(peer), [1, 2, 3, 6]);
});

Deno.test("a pace that is out of bounds is refused, and what was held stays", async () => {
  const world = await World.booted();
  const peer = world.connect({ query: { topics: ["task:status"], replay: "none" } });
  for (const hz of [0, 0.05, 51, "5", null]) {
    peer.send("subscribe", { topics: ["task:progress"], max_rate_hz: hz });
  }
  const errors = peer.socket.frames.flatMap((frame) => frame.type === "error" ? [frame.error.message] : []);
  assertEquals(errors.length, 5);
  assertEquals(errors.every((message) => message.startsWith("data.max_rate_hz")), true);
});

/** Tells of progress every 10 ms for `ms`, and does `beside` every 50 ms. */
async function busy(world: World, ms: number, beside: (i: number) => void): Promise<void> {
  for (let i = 1; i * 10 <= ms; i++) {
    world.put("t0", "progress", { completed: i });
    await world.follow();
    if (i % 5 === 0) beside(i / 5);
    world.clock.advance(10);
    await settled();
  }
}

Deno.test("a pace holds whatever is subscribed to and unsubscribed from meanwhile", async () => {
  for (const replay of ["none", "latest"]) {
    const world = await World.booted();
    const peer = world.connect({ query: { topics: ["task:progress"], replay: "none", max_rate_hz: 1 } });
    await busy(world, 3_000, (i) => {
      if (i % 2 === 0) peer.send("unsubscribe", { topics: ["task:id:other"] });
      else peer.send("subscribe", { topics: ["task:id:other"], replay });
    });
    assertEquals(progressOf(peer), [1, 100, 200, 300], "at 0, 1, 2 and 3 s");
  }
});

Deno.test("a pace holds for who changes between two, or between the company of others", async () => {
  const world = await World.booted();
  const one = world.connect({ query: { topics: ["task:progress"], replay: "none", max_rate_hz: 1 } });
  const other = world.connect({ query: { topics: ["task:progress"], replay: "none", max_rate_hz: 1 } });
  await busy(world, 500, () => {});
  const company = [["task:progress"], ["task:progress", "task:id:a"], ["task:progress", "task:id:b"]];
  const members = company.map((topics) =>
    world.connect({ query: { topics, replay: "none", max_rate_hz: 1 } })
  );
  await busy(world, 3_000, (i) => {
    one.send("subscribe", { topics: ["task:progress"], max_rate_hz: i % 2 === 0 ? 1 : 0.99 });
    other.send("unsubscribe", { topics: ["task:id:a", "task:id:b"] });
    other.send("subscribe", { topics: company[i % 3], replay: "none" });
  });
  for (const peer of [one, other]) {
    const { length } = progressOf(peer);
    assertEquals([length >= 3, length <= 4], [true, true], `${length} times in 3.5 s`);
  }
  assertEquals(members.map((peer) => progressOf(peer).length), [3, 4, 4]);
});

Deno.test("who rejoins is told of a status at once, and of the progress that waited", async () => {
  const world = await World.booted();
  const topics = ["task:progress", "task:status"];
  const peer = world.connect({ query: { topics, replay: "none", max_rate_hz: 0.1 } });
  const tell = async (kind: string, completed: number) => {
    world.put("t0", kind, { completed });
    await world.follow();
    world.clock.advance(20);
    await settled();
  };
  for (const completed of [1, 2]) await tell("progress", completed);
  peer.send("subscribe", { topics: ["task:id:other"] });
  await tell("progress", 3);
  assertEquals(progressOf(peer), [1]);
  const before = peer.send("ping");
  assertEquals(pongOf(peer, before), 1, "and nobody who resumes loses what waits");
  await tell("paused", 0);
  assertEquals([progressOf(peer), peer.connection.stateName], [[1, 3], "live"]);
  assertEquals(pongOf(peer, peer.send("ping")), 4);
});

function pongOf({ socket }: Peer, id: string): number | undefined {
  const frame = socket.frames.find((one) => one.id === id);
  return frame?.type === "pong" ? frame.data.seq : undefined;
}
