/**
 * How fast a task moves, from its recent progress: a mean of the observed rates in which an interval of `dt` has the
 * weight 1 − e^(−dt/TIME_CONSTANT), corrected for its start from nothing (as Adam's moments are:
 * Kingma & Ba 2015, §3).
 */
export type Pace = {
  readonly attempt: number;
  /** What is counted: items, or percent where no total is known. */
  readonly unit: "items" | "percent";
  readonly timeMs: number;
  readonly done: number;
  /** The weighted mean so far, in units a second, and the sum of its weights. */
  readonly mean: number;
  readonly weight: number;
  readonly intervals: number;
  readonly observedMs: number;
  /** Since when the task stands still on purpose (paused, or waiting to retry); null while it works. */
  readonly restingSinceMs: number | null;
};

/** What a pace is measured from; `timeMs` is when the log took it, so that workers' clocks do not matter. */
export type Sample = {
  readonly attempt: number;
  readonly unit: "items" | "percent";
  readonly timeMs: number;
  readonly done: number;
};

const TIME_CONSTANT_MS = 30_000;

/**
 * The first intervals of a task are its wildest (what was done before, what is cached), so that those which end
 * within `settleMs` are not counted, and there is no guess before `intervals` counted ones and `ms` in all.
 */
const WARM_UP = { settleMs: 1_000, intervals: 3, ms: 3_000 };

/**
 * The pace after one more sample. A new attempt, another unit or counters that went back start anew; what is
 * told of a resting task counts as done before its rest.
 */
export function observe(pace: Pace | undefined, sample: Sample): Pace {
  if (
    pace === undefined || pace.attempt !== sample.attempt || pace.unit !== sample.unit ||
    sample.done < pace.done
  ) {
    return { ...sample, mean: 0, weight: 0, intervals: 0, observedMs: 0, restingSinceMs: null };
  }
  const timeMs = pace.restingSinceMs ?? sample.timeMs;
  const dtMs = timeMs - pace.timeMs;
  if (dtMs <= 0) return pace;
  const observedMs = pace.observedMs + dtMs;
  const seen = { ...pace, timeMs, done: sample.done, observedMs };
  if (observedMs <= WARM_UP.settleMs) return seen;
  const share = 1 - Math.exp(-dtMs / TIME_CONSTANT_MS);
  const rate = (sample.done - pace.done) * 1000 / dtMs;
  return {
    ...seen,
    mean: pace.mean + share * (rate - pace.mean),
    weight: pace.weight + share * (1 - pace.weight),
    intervals: pace.intervals + 1,
  };
}

/** The pace of a task that stands still on purpose from `timeMs` on. */
export function rested(pace: Pace, timeMs: number): Pace {
  return pace.restingSinceMs === null ? { ...pace, restingSinceMs: Math.max(timeMs, pace.timeMs) } : pace;
}

/** The pace of a task that goes on at `timeMs`: its rest does not count. */
export function roused(pace: Pace, timeMs: number): Pace {
  if (pace.restingSinceMs === null) return pace;
  const restMs = Math.max(0, timeMs - pace.restingSinceMs);
  return { ...pace, timeMs: pace.timeMs + restMs, restingSinceMs: null };
}

/** Units a second, or null while there is no telling. */
export function rateOf(pace: Pace | undefined): number | null {
  if (pace === undefined || pace.intervals < WARM_UP.intervals || pace.observedMs < WARM_UP.ms) return null;
  return pace.mean / pace.weight;
}

/** Milliseconds until `total` units are done, or null while there is no telling, as of a task that all but stands. */
export function etaMs(pace: Pace | undefined, total: number | null): number | null {
  const rate = rateOf(pace);
  if (pace === undefined || rate === null || rate <= 0 || total === null) return null;
  const leftMs = Math.max(0, Math.round((total - pace.done) / rate * 1000));
  return Number.isSafeInteger(leftMs) ? leftMs : null;
}
