/** Clocks drift apart, by some 0.2 s in an hour: what was seen longer ago than once or twice this counts no more, ms. */
const SPAN_MS = 30 * 60_000;

/**
 * What time it is for the gateway, by what its frames say: the one that came soonest after its time, of the last half
 * hour or hour, is taken to have come at once. So this device's own clock may be set to anything, even meanwhile.
 */
export class ServerClock {
  /** By how much the device's elapsed time was ahead of the time of the frame that came soonest, ms; can be below 0. */
  #ahead = Infinity;
  /** Of the span before this one. */
  #aheadBefore = Infinity;
  #spanBeganMs = 0;

  /** A frame came that tells of `atMs`, ms since the epoch; `elapsedMs` by a clock of this device that nobody sets. */
  heard(atMs: number, elapsedMs: number): void {
    if (elapsedMs - this.#spanBeganMs >= SPAN_MS) {
      this.#aheadBefore = this.#ahead;
      this.#ahead = Infinity;
      this.#spanBeganMs = elapsedMs;
    }
    this.#ahead = Math.min(this.#ahead, elapsedMs - atMs);
  }

  /** The gateway's time, ms since the epoch; undefined before anything came of it. */
  now(elapsedMs: number): number | undefined {
    const ahead = Math.min(this.#ahead, this.#aheadBefore);
    return ahead === Infinity ? undefined : elapsedMs - ahead;
  }
}
