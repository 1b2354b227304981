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
