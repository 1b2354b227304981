import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assert, assertEquals } from "@std/assert";
import { Arrivals } from "../../src/projection/arrivals.ts";

type Guest = { order: number; readonly name: string };

function arrived(arrivals: Arrivals<Guest>, order: number, name = `guest ${order}`): Guest {
  const guest = { order, name };
  arrivals.add(guest, 0);
  return guest;
}

function leaves(arrivals: Arrivals<Guest>, guest: Guest): void {
  arrivals.leave(guest.order);
  guest.order = 0;
}

Deno.test("those that are there are met, the newest first; who left is not, and who arrived anew is where it came last", () => {
  const arrivals = new Arrivals<Guest>();
  const [first, second] = [1, 2, 3].map((order) => arrived(arrivals, order));
  assert(first !== undefined && second !== undefined);
  leaves(arrivals, second);
  leaves(arrivals, first);
  first.order = 4;
  arrivals.add(first, 2);
  arrived(arrivals, 5);
  assertEquals([...arrivals.newestFirst()].map(({ name }) => name), ["guest 5", "guest 1", "guest 3"]);
});

Deno.test("who leaves while somebody walks is met no more, who arrives then is not met, and the walk goes on", () => {
  const arrivals = new Arrivals<Guest>();
  const guests = Array.from({ length: 10 }, (_, i) => arrived(arrivals, i + 1));
  const walk = arrivals.newestFirst();
  assertEquals(walk.next().value?.order, 10);
  for (const guest of guests.slice(2, 9)) leaves(arrivals, guest);
  for (let order = 11; order < 3_000; order++) leaves(arrivals, arrived(arrivals, order));
  assertEquals([...walk].map(({ order }) => order), [2, 1]);
});

Deno.test("what has left is held by nothing", async () => {
  const arrivals = new Arrivals<Guest>();
  let collected = 0;
  const registry = new FinalizationRegistry(() => collected++);
  const pass = (order: number): void => {
    const guest = arrived(arrivals, order);
    registry.register(guest, order);
    leaves(arrivals, guest);
  };
  for (let order = 1; order <= 500; order++) pass(order);
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  for (let i = 0; i < 100 && collected < 500; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  // The last may still be on the stack of the engine.
  assert(collected >= 490, `${collected} of 500 were collected`);
  assertEquals([...arrivals.newestFirst()], []);
});
