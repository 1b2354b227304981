import { assertEquals } from "@std/assert";
import { Lateness } from "../../src/client/lateness.ts";
import { ManualClock } from "../router/manual_clock.ts";

/** Lateness as a test plays it: pings that were sent, and what was told. */
function played() {
  const clock = new ManualClock();
  const pings: string[] = [];
  const told: boolean[] = [];
  const ping = () => {
    pings.push(`p${pings.length}`);
    lateness.pinged(`p${pings.length - 1}`);
  };
  const lateness = new Lateness({ clock, ping }, (isLate) => told.push(isLate));
  /** A frame that was `ms` on its way, by a clock that is an hour off. */
  const frame = (ms: number) => lateness.came(clock.now() - ms + 3_600_000);
  return { clock, lateness, pings, told, frame };
}

Deno.test("who is told later and later is late, until a question is answered in time", () => {
  const { clock, lateness, pings, told, frame } = played();
  for (const ms of [30, 20, 900, 2_000]) frame(ms);
  assertEquals([pings, told], [[], []]);
  frame(2_100);
  frame(2_200);
  assertEquals([pings, told], [["p0"], [true]]);
  clock.advance(5_000);
  lateness.ponged("p0");
  assertEquals([pings, told], [["p0", "p1"], [true]], "that was late too");
  clock.advance(500);
  lateness.ponged("p1");
  assertEquals(told, [true, false]);
  frame(2_300);
  assertEquals(
    told,
    [true, false],
    "clocks may be set, but a question that is answered in time tells the truth",
  );
  lateness.end();
  assertEquals(clock.pending, 0);
});

Deno.test("whose question is not answered in time is late, and on the next connection begins anew", () => {
  const { clock, lateness, pings, told, frame } = played();
  lateness.pinged("a");
  clock.advance(1_900);
  lateness.pinged("b");
  assertEquals(told, []);
  clock.advance(200);
  assertEquals(told, [true]);
  lateness.end();
  assertEquals([told, clock.pending], [[true, false], 0]);
  frame(9_000);
  assertEquals([told, pings], [[true, false], []]);
});
