/** What is done for a plug-in by others, and whether it is that which takes long: by the single one, not by many quick ones. */
export class LentWorks {
  readonly #longMs: number;
  /** Since when each that is under way is, ms; the oldest first. */
  readonly #underWay = new Set<{ readonly sinceMs: number }>();
  /** When one that took long ended last. */
  #longUntilMs = -Infinity;

  /** One takes long where it takes more than so many ms. */
  constructor(longMs: number) {
    this.#longMs = longMs;
  }

  /** One begins; what it returns says when that ends. */
  begin(sinceMs: number): (nowMs: number) => void {
    const work = { sinceMs };
    this.#underWay.add(work);
    return (nowMs) => {
      if (this.#underWay.delete(work) && nowMs - sinceMs > this.#longMs) this.#longUntilMs = nowMs;
    };
  }

  /** Whether whoever began then may have waited for one so long that this is long. */
  tookLong(sinceMs: number, nowMs: number): boolean {
    if (this.#longUntilMs - sinceMs > this.#longMs) return true;
    for (const oldest of this.#underWay) return nowMs - Math.max(oldest.sinceMs, sinceMs) > this.#longMs;
    return false;
  }
}
