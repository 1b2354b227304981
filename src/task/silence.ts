/**
 * How long a task has been silent, and how long it usually is. `sinceMs` is by the clock of whoever listens, the gaps are by
 * the log's.
 */
export type Silence = {
  /** The last event that was heard of it, of which attempt it was, and when the log took it. */
  readonly seq: number;
  readonly attempt: number;
  readonly loggedMs: number;
  readonly sinceMs: number;
  /** The mean gap so far, in which one of `g` ms weighs 1 − e^(−g/TIME_CONSTANT), and the sum of its weights. */
  readonly mean: number;
  readonly weight: number;
  /** Whether it has stood still on purpose since: the next gap is none. */
  readonly rests: boolean;
  /** Whether there were events before that nobody listened to, which may tell its usual gap. */
  readonly hasPast: boolean;
  /** Since when it was said that nothing is heard of it, by the clock of whoever listens; null while it was not. */
  readonly staleMs: number | null;
};

/** An event that was heard: where it lies, of which attempt it is, and when the log took it. */
export type Heard = { readonly seq: number; readonly attempt: number; readonly time: number };

const TIME_CONSTANT_MS = 600_000;
/** So many times its usual gap may a task be silent. */
const FACTOR = 3;

/** The silence that begins with the first event that is known of a task. */
export function silentSince(
  { seq, attempt, time }: Heard,
  { sinceMs, hasPast }: { readonly sinceMs: number; readonly hasPast: boolean },
): Silence {
  return { seq, attempt, loggedMs: time, sinceMs, mean: 0, weight: 0, rests: false, hasPast, staleMs: null };
}

/**
 * The silence that begins with another event, heard at `sinceMs`. Between two attempts nobody was at work; and what nobody
 * listened to was no silence, nor was what a clock of the log leapt over: the shorter of both gaps counts.
 */
export function heardAgain(before: Silence, { seq, attempt, time }: Heard, sinceMs: number): Silence {
  const isGap = !before.rests && attempt === before.attempt;
  const gapMs = isGap ? Math.min(time - before.loggedMs, sinceMs - before.sinceMs) : 0;
  return { ...withGap(before, gapMs), seq, attempt, loggedMs: time, sinceMs, rests: false, staleMs: null };
}

/** The same silence, once it is known how long the task was silent before, ms each. */
export function withPast(silence: Silence, gaps: readonly number[]): Silence {
  return { ...gaps.reduce(withGap, silence), hasPast: false };
}

/**
 * How long the task may be silent, ms: {@link FACTOR} times the gap that it usually is in, and `leastMs` at least. Long
 * gaps weigh more than short ones in that, as it is in them for longer.
 */
export function patienceMs({ mean, weight }: Silence, leastMs: number): number {
  return Math.max(leastMs, weight === 0 ? 0 : FACTOR * mean / weight);
}

function withGap(silence: Silence, gapMs: number): Silence {
  if (gapMs <= 0) return silence;
  const share = 1 - Math.exp(-gapMs / TIME_CONSTANT_MS);
  const { mean, weight } = silence;
  return { ...silence, mean: mean + share * (gapMs - mean), weight: weight + share * (1 - weight) };
}
