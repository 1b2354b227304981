/** How long to wait between tries: `firstMs`, then `factor` times more each, at most `maxMs`. */
export type Backoff = {
  readonly firstMs: number;
  readonly factor: number;
  readonly maxMs: number;
  /** The share of each wait left to chance, 0–1, so that many workers do not come back as one. */
  readonly jitter: number;
};

/** Between tries to reach the log: 0.1 s to 5 s, so a restarted gateway has its workers back within seconds. */
export const OUTAGE_BACKOFF: Backoff = { firstMs: 100, factor: 2, maxMs: 5_000, jitter: 0.5 };

/** Between attempts of a task's work: 1 s to 1 min. */
export const ATTEMPT_BACKOFF: Backoff = { firstMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0.5 };

/** The wait in ms after the `tries`-th try in a row failed (from 1). `random` is in [0, 1). */
export function backoffMs(backoff: Backoff, tries: number, random: number): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.firstMs * backoff.factor ** (tries - 1));
  return ceilingMs * (1 - backoff.jitter * random);
}
