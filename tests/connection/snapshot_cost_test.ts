import { assertEquals } from "@std/assert";
import { type Peer, settled, World } from "./world.ts";

const TASKS = 1_000;
const LIMITS = { maxTopics: 256, rate: { perSecond: 5, burst: 10 }, authMs: 10_000 };

/** A gateway with tasks under way, and somebody there. */
async function worldOfTasks(): Promise<{ readonly world: World; readonly peer: Peer }> {
  const world = await World.booted({ limits: LIMITS });
  for (let i = 0; i < TASKS; i++) world.put(`t${i}`, "started");
  await world.follow();
  return { world, peer: world.connect() };
}

/** Asks, and comes to rest; the code of the error that it is answered with, if it is. */
async function asked({ peer, send }: { peer: Peer; send: () => string }): Promise<string | undefined> {
  const id = send();
  await settled();
  const answer = peer.socket.frames.findLast((frame) => frame.id === id);
  return answer?.type === "error" ? answer.error.code : undefined;
}

Deno.test("the first present state is free; one that begins anew costs what as many pages would", async () => {
  const { world, peer } = await worldOfTasks();
  const topics = ["task:status"];
  const send = (type: string) =>
    asked({ peer, send: () => peer.send(type, type === "ping" ? {} : { topics }) });
  const wholes = () => peer.socket.frames.filter(({ type }) => type === "caught_up").length;
  assertEquals(await send("subscribe"), undefined);
  world.clock.advance(1);
  await settled();
  assertEquals([wholes(), await send("ping")], [1, undefined]);
  assertEquals([await send("unsubscribe"), await send("subscribe")], [undefined, undefined]);
  world.clock.advance(1);
  await settled();
  assertEquals(wholes(), 2);
  assertEquals(await send("ping"), "RATE_LIMITED");
  world.clock.advance(2_000);
  assertEquals(await send("ping"), undefined, "what is owed is bounded, and is paid in time");
});
