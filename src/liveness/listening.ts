/** Time as far as somebody listened, ms: by how much a clock went on between two looks at it, and no more than looks take. */
export class Listening {
  readonly #now: () => number;
  readonly #mostMs: number;
  #seenMs: number;
  #elapsedMs = 0;

  /** `mostMs`: what one look may add. A process that stood still, and a clock that was set, heard nothing meanwhile. */
  constructor(now: () => number, mostMs: number) {
    this.#now = now;
    this.#mostMs = mostMs;
    this.#seenMs = now();
  }

  /** How long was listened so far, ms. */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** Looks at the clock. What has passed counts only where it `counts`. */
  look(counts: boolean): void {
    const nowMs = this.#now();
    const passedMs = Math.min(Math.max(0, nowMs - this.#seenMs), this.#mostMs);
    this.#seenMs = nowMs;
    if (counts) this.#elapsedMs += passedMs;
  }
}
