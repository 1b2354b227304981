import { median } from "../bench/statistics.ts";
import type { Measure, Sample } from "./sample.ts";

/** How a quantity goes over time, by the hour. `error` is two standard errors of that: 95 in 100 lie within. */
export type Trend = { readonly perHour: number; readonly error: number };

/** One of what is judged: what was found, in words, and whether it is as it should be. */
export type Finding = { readonly what: string; readonly isGood: boolean };

/** What is held against the samples. */
export type Expectations = {
  /** The samples before are of a gateway that still fills what it keeps by design, ms. */
  readonly warmUpMs: number;
  /** So much may memory grow, bytes an hour. */
  readonly bytesPerHour: number;
  /** So many more handles, threads or timers there may be in the last third than in the first, and a tenth. */
  readonly more: number;
};

const HOUR_MS = 3_600_000;
const MB = 1_048_576;
const MORE_SHARE = 0.1;

/** What must not go on growing either. */
const LEVELS = ["handles", "threads", "timers"] as const satisfies readonly Measure[];

/**
 * The line of least squares through `points`, and twice its standard error, which comes from how far they lie from it. Points
 * that lie a tide apart do not hang together, as those would that follow each other closely.
 */
export function trendOf(points: readonly { readonly atMs: number; readonly value: number }[]): Trend {
  const seen = points.filter(({ value }) => Number.isFinite(value));
  if (seen.length < 3) return { perHour: NaN, error: Infinity };
  const meanAt = mean(seen.map(({ atMs }) => atMs));
  const meanValue = mean(seen.map(({ value }) => value));
  let [sumOfSquares, sumOfProducts] = [0, 0];
  for (const { atMs, value } of seen) {
    sumOfSquares += (atMs - meanAt) ** 2;
    sumOfProducts += (atMs - meanAt) * (value - meanValue);
  }
  const slope = sumOfProducts / sumOfSquares;
  const residues = seen.map(({ atMs, value }) => (value - meanValue - slope * (atMs - meanAt)) ** 2);
  const variance = residues.reduce((sum, square) => sum + square, 0) / (seen.length - 2);
  return { perHour: slope * HOUR_MS, error: 2 * Math.sqrt(variance / sumOfSquares) * HOUR_MS };
}

/** The trends of a gateway's memory after the warm-up, bytes an hour. */
export function memoryTrends(
  samples: readonly Sample[],
  warmUpMs: number,
): { readonly heap: Trend; readonly rss: Trend } {
  const steady = samples.filter(({ atMs }) => atMs >= warmUpMs);
  const trend = (measure: Measure) =>
    trendOf(steady.map((sample) => ({ atMs: sample.atMs, value: sample[measure] })));
  return { heap: trend("heap"), rss: trend("rss") };
}

/**
 * Memory grows where its trend is above the limit by more than its error: chance alone says so of one steady gateway in
 * forty. Handles, threads and timers grow where the last third of the time has clearly more of them than the first.
 */
export function judge(samples: readonly Sample[], { warmUpMs, bytesPerHour, more }: Expectations): Finding[] {
  const { heap, rss } = memoryTrends(samples, warmUpMs);
  const steady = samples.filter(({ atMs }) => atMs >= warmUpMs);
  return [
    memoryFinding("heap after a collection", heap, bytesPerHour),
    memoryFinding("resident memory", rss, bytesPerHour),
    ...LEVELS.map((measure) => levelFinding(measure, steady, more)),
  ];
}

function memoryFinding(name: string, { perHour, error }: Trend, limit: number): Finding {
  const what = `${name}: ${signed(perHour / MB)} ± ${(error / MB).toFixed(2)} MB an hour`;
  if (!(error < Infinity)) return { what: `${name}: too few samples after the warm-up`, isGood: false };
  const bound = `${Number((limit / MB).toPrecision(3))} MB`;
  if (perHour - error > limit) return { what: `${what}, above ${bound}: it GROWS`, isGood: false };
  const isSure = perHour + error <= limit;
  return {
    what: `${what}, ${isSure ? `within ${bound}` : `cannot be told from ${bound} in so short a time`}`,
    isGood: true,
  };
}

function levelFinding(measure: (typeof LEVELS)[number], steady: readonly Sample[], more: number): Finding {
  const third = Math.ceil(steady.length / 3);
  const of = (part: readonly Sample[]) =>
    median(part.map((sample) => sample[measure]).filter((value) => Number.isFinite(value)));
  const [first, last] = [of(steady.slice(0, third)), of(steady.slice(-third))];
  const isGood = last <= first * (1 + MORE_SHARE) + more;
  return { what: `${measure}: ${first} at first, ${last} at last${isGood ? "" : ": they GROW"}`, isGood };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
