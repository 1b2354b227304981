/** Time as the client needs it, so that tests own it. */
export interface Clock {
  /** Ms since the epoch. */
  now(): number;
  /** Ms since some moment, by a clock that nobody sets; {@link now} where there is none. */
  elapsed?(): number;
  /** Calls `run` once after `delayMs`; returns how to call it off. */
  after(delayMs: number, run: () => void): () => void;
}

/** The time of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
