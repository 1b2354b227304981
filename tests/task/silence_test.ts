import { assert, assertEquals } from "@std/assert";
import { heardAgain, patienceMs, silentSince, withPast } from "../../src/task/silence.ts";

const LEAST_MS = 30_000;

/** The patience with a task that was heard of at these times, ms. */
function patienceAfter(times: readonly number[]): number {
  const [first = 0, ...later] = times;
  let silence = silentSince({ seq: 1, attempt: 1, time: first }, { sinceMs: 0, hasPast: false });
  for (const [i, time] of later.entries()) {
    silence = heardAgain(silence, { seq: i + 2, attempt: 1, time }, time);
  }
  return patienceMs(silence, LEAST_MS);
}

Deno.test("a task may be silent for three times its usual gap, and for the least time in any case", () => {
  assertEquals(patienceAfter([0]), LEAST_MS);
  assertEquals(patienceAfter([0, 1_000, 2_000, 3_000]), LEAST_MS);
  assertEquals(Math.round(patienceAfter([0, 60_000])), 180_000);
  assertEquals(Math.round(patienceAfter([0, 60_000, 120_000, 180_000])), 180_000);
});

Deno.test("long gaps count more than the many short ones between them", () => {
  const bursts = Array.from(
    { length: 5 },
    (_, burst) => Array.from({ length: 100 }, (_, i) => burst * 120_000 + i * 10),
  ).flat();
  const patience = patienceAfter(bursts);
  assert(patience > 300_000, `${patience} ms`);
});

Deno.test("time in which a task stands still on purpose is no gap", () => {
  const before = silentSince({ seq: 1, attempt: 1, time: 0 }, { sinceMs: 0, hasPast: false });
  const after = heardAgain({ ...before, rests: true }, { seq: 2, attempt: 1, time: 3_600_000 }, 0);
  assertEquals(patienceMs(after, LEAST_MS), LEAST_MS);
  assertEquals(after.rests, false);
});

Deno.test("the past tells the usual gap of who was just met", () => {
  const met = silentSince({ seq: 9, attempt: 1, time: 400_000 }, { sinceMs: 0, hasPast: true });
  const known = withPast(met, [100_000, 100_000, 100_000]);
  assertEquals(known.hasPast, false);
  assertEquals(Math.round(patienceMs(known, LEAST_MS)), 300_000);
  assertEquals(patienceMs(withPast(met, []), LEAST_MS), LEAST_MS);
});
