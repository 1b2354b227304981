import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { backoffMs, OUTAGE_BACKOFF } from "../../src/worker/backoff.ts";
import { type Counters, merged } from "../../src/worker/counters.ts";
import { HeldProgress } from "../../src/worker/held_progress.ts";
import { holdMs } from "../../src/worker/throttle.ts";
import { ManualClock } from "./manual_clock.ts";

function setUp(intervalMs = 1_000) {
  const clock = new ManualClock(0);
  const sent: [number, Counters][] = [];
  const room = { left: Infinity };
  const held = new HeldProgress(clock, intervalMs, (counters) => {
    if (room.left-- <= 0) return false;
    sent.push([clock.now(), counters]);
    return true;
  });
  return { clock, held, room, sent };
}

Deno.test("the first progress goes at once, the newest of what follows when the interval is over", async () => {
  const { clock, held, sent } = setUp();
  for (let completed = 1; completed <= 3; completed++) {
    held.say({ completed });
    await clock.advance(100);
  }
  await clock.advance(10_000);
  assertEquals(sent, [[0, { completed: 1 }], [1000, { completed: 3 }]]);
  assertEquals(clock.pending, 0);
});

Deno.test("progress said all the time goes once an interval, and the last of it always", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 20 }),
      async (waits) => {
        const { clock, held, sent } = setUp(500);
        for (const [i, waitMs] of waits.entries()) {
          held.say({ completed: i });
          clock.advanceSync(waitMs);
        }
        await clock.advance(500);
        const gaps = sent.slice(1).map(([atMs], i) => atMs - (sent[i]?.[0] ?? 0));
        assert(
          gaps.every((gapMs) => gapMs >= 500),
          `gaps of ${gaps} ms`,
        );
        assertEquals(sent.at(-1)?.[1], { completed: waits.length - 1 });
      },
    ),
  );
});

Deno.test("progress that finds no room is tried again after an interval, with what is newest then", async () => {
  const { clock, held, room, sent } = setUp();
  room.left = 0;
  held.say({ completed: 1 });
  await clock.advance(1_500);
  held.say({ completed: 2 });
  room.left = Infinity;
  await clock.advance(500);
  assertEquals(sent, [[2_000, { completed: 2 }]]);
  assertEquals(clock.pending, 0);
});

Deno.test("held progress can go before its time, and does not go twice", async () => {
  const { clock, held, sent } = setUp();
  held.say({ completed: 1 });
  held.say({ completed: 2 });
  held.sendNow();
  held.sendNow();
  await clock.advance(5_000);
  assertEquals(sent.map(([atMs]) => atMs), [0, 0]);
});

Deno.test("a clock that is set, forward or back, holds progress no longer than the interval", async () => {
  const { clock, held, sent } = setUp();
  for (const [completed, setBy] of [[1, -86_400_000], [2, 0], [3, 172_800_000], [4, 0]] as const) {
    clock.set(setBy);
    held.say({ completed });
    await clock.advance(999);
  }
  assertEquals(sent.map(([, { completed }]) => completed), [1, 2, 3, 4]);
});

Deno.test("progress may go as soon as the interval is over", () => {
  assertEquals(holdMs(undefined, 5, 1_000), 0);
  assertEquals(holdMs(0, 400, 1_000), 600);
  assertEquals(holdMs(0, 4_000, 1_000), 0);
});

Deno.test("counters that are not named stay, and new counts take back a percentage that was said", () => {
  const before: Counters = { total: 10, completed: 1, current: "a", percentage: 90 };
  assertEquals(merged(before, { current: "b" }), { total: 10, completed: 1, current: "b", percentage: 90 });
  assertEquals(merged(before, { completed: 2 }), { total: 10, completed: 2, current: "a" });
  assertEquals(merged(before, { completed: 2, percentage: 5 }), { ...before, completed: 2, percentage: 5 });
  assertEquals(merged(before, { current: null, total: undefined }), { ...before, current: null });
});

Deno.test("waits between tries grow to their bound and never leave it, whatever chance says", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (tries, chance) => {
        const waitMs = backoffMs(OUTAGE_BACKOFF, tries, chance);
        const ceilingMs = Math.min(OUTAGE_BACKOFF.maxMs, OUTAGE_BACKOFF.firstMs * 2 ** (tries - 1));
        assert(waitMs <= ceilingMs && waitMs >= ceilingMs / 2, `${waitMs} ms after ${tries} tries`);
      },
    ),
  );
});
