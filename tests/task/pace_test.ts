import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { fold, type TaskState } from "../../src/task/fold.ts";
import { etaMs, observe, type Pace, rateOf, rested, roused } from "../../src/task/pace.ts";
import { paced, progressData } from "../../src/task/task.ts";
import type { TaskEvent } from "../../src/task/worker_event.ts";
import type { ProgressData } from "../../src/protocol/server_frames.ts";
import { arbitraryDelivery, event } from "./arbitrary_history.ts";

/** The pace of a task, sample by sample, of `[ms, done]` pairs. */
function paceOf(samples: readonly (readonly [number, number])[], pace?: Pace): Pace | undefined {
  return samples.reduce<Pace | undefined>(
    (seen, [timeMs, done]) => observe(seen, { attempt: 1, unit: "items", timeMs, done }),
    pace,
  );
}

/** `[ms, done]` of a task that does `perSecond` items, telling of it every `everyMs`. */
function steady(perSecond: number, everyMs: number, fromMs: number, toMs: number): [number, number][] {
  const samples: [number, number][] = [];
  for (let at = fromMs; at <= toMs; at += everyMs) samples.push([at, perSecond * at / 1000]);
  return samples;
}

/** Asserts that `actual` lies within `share` of `expected`. */
function assertNear(actual: number | null, expected: number, share: number): void {
  assert(
    actual !== null && Math.abs(actual - expected) <= expected * share,
    `${actual} is not within ${share * 100} % of ${expected}`,
  );
}

/** What a task's frames say of its progress after each event. */
function progressAfterEach(events: readonly TaskEvent[]): ProgressData[] {
  let [state, pace]: [TaskState | undefined, Pace | undefined] = [undefined, undefined];
  return events.map((one) => {
    state = fold(state, one);
    pace = paced(pace, state, one);
    return progressData(state, pace);
  });
}

/** Progress events that do `perSecond` items, one every second of work, at the given seconds of the clock. */
function worked(perSecond: number, seconds: readonly number[], workedBefore = 0): TaskEvent[] {
  return seconds.map((second, i) =>
    event(
      "progress",
      second * 10 + 1,
      { total: 1000, completed: (workedBefore + i) * perSecond },
      second * 1000,
    )
  );
}

Deno.test("there is no guess before three counted intervals and three seconds", () => {
  assertEquals(rateOf(undefined), null);
  assertEquals(etaMs(undefined, 10), null);
  const everySecond = steady(5, 1000, 0, 3000);
  assertEquals(everySecond.map((_, i) => rateOf(paceOf(everySecond.slice(0, i + 1)))), [
    null,
    null,
    null,
    null,
  ]);
  assertNear(rateOf(paceOf(steady(5, 1000, 0, 4000))), 5, 1e-9);
  assertEquals(rateOf(paceOf(steady(5, 100, 0, 2900))), null);
  assertNear(rateOf(paceOf(steady(5, 100, 0, 3000))), 5, 1e-9);
});

Deno.test("a steady task is told its true rate and the time that is left", () => {
  const speeds = fc.record({
    perSecond: fc.double({ min: 0.01, max: 10_000, noNaN: true }),
    everyMs: fc.integer({ min: 20, max: 60_000 }),
    samples: fc.integer({ min: 200, max: 300 }),
  });
  fc.assert(
    fc.property(speeds, ({ perSecond, everyMs, samples }) => {
      const endMs = everyMs * samples;
      const pace = paceOf(steady(perSecond, everyMs, 0, endMs));
      assertNear(rateOf(pace), perSecond, 0.001);
      const total = perSecond * endMs * 2 / 1000;
      assertNear(etaMs(pace, total), endMs, 0.01);
    }),
  );
});

Deno.test("a task that swings by a third about its speed is told that speed within a few percent", () => {
  const swings = [0.67, 1.33, 1, 1.2, 0.8];
  let done = 0;
  const samples = Array.from({ length: 120 }, (_, i): [number, number] => {
    return [i * 1000, done += 10 * (swings[i % swings.length] ?? 1)];
  });
  assertNear(rateOf(paceOf(samples)), 10, 0.03);
});

Deno.test("a task that changes its speed is told the new one within two minutes", () => {
  const slow = steady(1, 1000, 0, 60_000);
  const fast = steady(10, 1000, 0, 120_000).map(([at, done]): [number, number] => [60_000 + at, 60 + done]);
  assertNear(rateOf(paceOf([...slow, ...fast])), 10, 0.03);
});

Deno.test("a burst in the first second does not make the first guess wild", () => {
  const bursts = fc.array(fc.tuple(fc.integer({ min: 0, max: 999 }), fc.nat(100_000)), { maxLength: 20 });
  fc.assert(
    fc.property(bursts, (burst) => {
      let done = 0;
      const early = [...burst].sort(([a], [b]) => a - b).map(([at, n]): [number, number] => [at, done += n]);
      const samples = [[0, 0] as const, ...early];
      const base = done;
      for (let at = 1000; at <= 60_000; at += 250) samples.push([at, base + (at - 1000) * 4 / 1000]);
      let pace: Pace | undefined;
      let guesses = 0;
      for (const sample of samples) {
        pace = paceOf([sample], pace);
        const guess = rateOf(pace);
        if (guess === null) continue;
        guesses++;
        assertNear(guess, 4, 0.03);
      }
      assert(guesses > 200);
    }),
  );
});

Deno.test("a pause does not count, however long it lasts and wherever it falls between two samples", () => {
  const pauses = fc.record({
    everyMs: fc.integer({ min: 500, max: 30_000 }),
    into: fc.double({ min: 0, max: 1, noNaN: true }),
    restMs: fc.integer({ min: 0, max: 86_400_000 }),
  });
  fc.assert(
    fc.property(pauses, ({ everyMs, into, restMs }) => {
      const before = paceOf(steady(10, everyMs, 0, everyMs * 10));
      assert(before !== undefined);
      const pauseMs = everyMs * 10 + Math.floor(into * everyMs);
      const after = roused(rested(before, pauseMs), pauseMs + restMs);
      const later = steady(10, everyMs, everyMs * 11, everyMs * 20)
        .map(([at, done]): [number, number] => [at + restMs, done]);
      assertNear(rateOf(paceOf(later, after)), 10, 0.001);
    }),
  );
});

Deno.test("paused and resumed tasks, and those that wait for a retry, keep their pace", () => {
  for (
    const [rest, rouse] of [["paused", "resumed"], ["paused", "started"], ["retrying", "started"]] as const
  ) {
    const events = [
      ...worked(2, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
      event(rest, 95, {}, 9_900),
      event(rouse, 96, {}, 609_900),
      ...worked(2, [610, 611, 612, 613], 10),
    ];
    const last = progressAfterEach(events).at(-1);
    assertNear(last?.rate ?? null, 2, 0.02);
    assertNear(last?.eta_ms ?? null, (1000 - 26) / 2 * 1000, 0.02);
  }
});

Deno.test("what is told of a paused task counts as done before its pause", () => {
  const events = [
    ...worked(2, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    event("paused", 95, {}, 10_000),
    event("progress", 96, { total: 1000, completed: 20 }, 300_000),
    event("resumed", 97, {}, 600_000),
    ...worked(2, [601, 602, 603], 11),
  ];
  assertNear(progressAfterEach(events).at(-1)?.rate ?? null, 2, 0.001);
});

Deno.test("a task whose first progress comes in its pause is paced from where it goes on", () => {
  const events = [
    event("paused", 1, {}, 0),
    event("progress", 2, { total: 1000, completed: 0 }, 1_000),
    event("resumed", 3, {}, 600_000),
    ...worked(2, [601, 602, 603, 604, 605], 1),
  ];
  assertNear(progressAfterEach(events).at(-1)?.rate ?? null, 2, 0.001);
});

Deno.test("a pause that comes twice, or of an older attempt, does not stop the clock", () => {
  const paused = event("paused", 1, { attempt: 2 }, 0);
  const cases = [
    { before: [], late: event("paused", 100, { attempt: 1 }, 5_500) },
    { before: [paused, event("resumed", 2, { attempt: 2 }, 1)], late: structuredClone(paused) },
  ];
  for (const { before, late } of cases) {
    const work = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((second) =>
      event("progress", 10 + second, { attempt: 2, total: 1000, completed: 2 * second }, second * 1000)
    );
    const told = progressAfterEach([...before, ...work.slice(0, 6), late, ...work.slice(6)]);
    assertNear(told.at(-1)?.rate ?? null, 2, 0.001);
    assertNear(told.at(-1)?.eta_ms ?? null, 492_000, 0.001);
  }
});

Deno.test("a second start of a working task takes nothing from the time it worked", () => {
  const events = worked(2, [0, 1, 2, 3, 4, 5, 6]);
  const again = event("started", 65, {}, 6_999);
  assertNear(progressAfterEach([...events, again, ...worked(2, [7, 8], 7)]).at(-1)?.rate ?? null, 2, 0.001);
});

Deno.test("a new attempt, another unit and counters that went back start the pace anew", () => {
  const warm = steady(5, 1000, 0, 10_000);
  const pace = paceOf(warm);
  assert(rateOf(pace) !== null);
  const sample = { attempt: 1, unit: "items", timeMs: 11_000, done: 55 } as const;
  assert(rateOf(observe(pace, sample)) !== null);
  assertEquals(rateOf(observe(pace, { ...sample, attempt: 2 })), null);
  assertEquals(rateOf(observe(pace, { ...sample, unit: "percent" })), null);
  assertEquals(rateOf(observe(pace, { ...sample, done: 49 })), null);
});

Deno.test("the pace of an older attempt is not told of a newer one", () => {
  const events = [...worked(2, [0, 1, 2, 3, 4, 5]), event("started", 100, { attempt: 2 }, 6_000)];
  const [before, after] = progressAfterEach(events).slice(-2);
  assert(before !== undefined && before.rate !== null && before.eta_ms !== null);
  assertEquals([after?.rate, after?.eta_ms], [null, null]);
});

Deno.test("an ended task has no rate and no time left", () => {
  const events = [...worked(2, [0, 1, 2, 3, 4, 5]), event("failed", 100, {}, 6_000)];
  const last = progressAfterEach(events).at(-1);
  assertEquals([last?.rate, last?.eta_ms], [null, null]);
});

Deno.test("a task that tells only a percentage has a time left but no rate of items", () => {
  const events = [0, 1, 2, 3, 4, 5].map((second) =>
    event("progress", second + 1, { percentage: second * 2 }, second * 1000)
  );
  const last = progressAfterEach(events).at(-1);
  assertEquals(last?.rate, null);
  assertNear(last?.eta_ms ?? null, 45_000, 0.01);
});

Deno.test("a task without a total has a rate but no time left", () => {
  assertEquals(etaMs(paceOf(steady(5, 1000, 0, 9000)), null), null);
});

Deno.test("a task that is done has no time left, nor has one past its total", () => {
  const pace = paceOf(steady(5, 1000, 0, 9000));
  assertEquals(etaMs(pace, 45), 0);
  assertEquals(etaMs(pace, 10), 0);
});

Deno.test("a task that came to a halt has no time to tell", () => {
  const halted = steady(5, 1000, 0, 9000);
  for (let at = 10_000; at < 40_000_000; at += 10_000) halted.push([at, 45]);
  const pace = paceOf(halted);
  assert((rateOf(pace) ?? -1) >= 0);
  assertEquals(etaMs(pace, 1e15), null);
});

Deno.test("no sequence of samples makes a rate or a time left that is negative, infinite or not a number", () => {
  const step = fc.oneof(
    fc.record({
      attempt: fc.integer({ min: 1, max: 2 }),
      unit: fc.constantFrom("items" as const, "percent" as const),
      timeMs: fc.oneof(fc.nat(20_000), fc.double({ min: 0, max: 1e13, noNaN: true })),
      done: fc.oneof(fc.nat(50), fc.double({ min: 0, max: 2 * Number.MAX_SAFE_INTEGER, noNaN: true })),
    }),
    fc.record({ rest: fc.boolean(), timeMs: fc.nat(20_000) }),
  );
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.double({ min: 0, max: 9e15, noNaN: true }),
      (steps, total) => {
        let pace: Pace | undefined;
        for (const one of steps) {
          if ("done" in one) pace = observe(pace, one);
          else if (pace !== undefined) pace = (one.rest ? rested : roused)(pace, one.timeMs);
          for (const said of [rateOf(pace), etaMs(pace, total)]) {
            assert(said === null || (Number.isFinite(said) && said >= 0), `said ${said}`);
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("no history makes a counter, percentage, rate or time left that JSON cannot carry", () => {
  fc.assert(
    fc.property(arbitraryDelivery, ({ delivered }) => {
      for (const said of progressAfterEach(delivered)) {
        for (const [member, value] of Object.entries(said)) {
          if (typeof value !== "number") continue;
          assert(Number.isFinite(value) && value >= 0, `${member} is ${value}`);
        }
        assert((said.percentage ?? 0) <= 100);
      }
    }),
    { numRuns: 1000 },
  );
});
