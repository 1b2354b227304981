import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { slotsOf } from "../../src/gateway/drain.ts";
import { mostInAWindow } from "../rolling/windows.ts";

const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

Deno.test("slots are spread evenly: no 100 ms hold more than a tenth of them, of however many", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 20_000 }), draws, (count, drawn) => {
    const slots = slotsOf(count, { mostMs: 6_000, random: () => drawn });
    assertEquals(slots.length, count);
    assert(mostInAWindow(slots) <= Math.ceil(count / 10));
    assert(slots.every((slotMs) => Number.isInteger(slotMs) && slotMs >= 0 && slotMs <= 6_000));
  }));
});

Deno.test("slots take no longer than they may, and a few connections no longer than they need", () => {
  const spread = (count: number, mostMs: number): number =>
    Math.max(...slotsOf(count, { mostMs, random: () => 0.5 }));
  assertEquals(spread(100, 400), 398);
  assertEquals(spread(100, 0), 0);
  assertEquals(spread(1, 6_000), 50);
  assertEquals(spread(10, 6_000), 950);
  assertEquals(spread(100, 6_000), 4_975);
  assertEquals(spread(100_000, 6_000), 5_999);
});

Deno.test("gateways that go away together give their clients different slots", () => {
  const [first, second] = [0.25, 0.75].map((drawn) => slotsOf(10, { mostMs: 6_000, random: () => drawn }));
  assertEquals(first?.slice(0, 2), [25, 125]);
  assertEquals(second?.slice(0, 2), [75, 175]);
});
