import { type Bucket, type Rate, take } from "../connection/rate_limit.ts";

/** So many senders are remembered at most; beyond, those longest silent are forgotten, whose buckets are the fullest. */
const MAX_BUCKETS = 100_000;

/** A rate for each sender, by name. */
export class RateLimits {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #max: number;
  /** Who was heard last is last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, now: () => number, max: number = MAX_BUCKETS) {
    this.#rate = rate;
    this.#now = now;
    this.#max = max;
  }

  /** In how many ms a sender may come again that has come too often; undefined where it may now. Nothing is counted. */
  waitOf(sender: string, cost = 1): { readonly retryAfterMs: number } | undefined {
    const known = this.#buckets.get(sender);
    const retryAfterMs = known && take(known, this.#rate, cost, this.#now()).retryAfterMs;
    return retryAfterMs === undefined ? undefined : { retryAfterMs };
  }

  /** How many senders are remembered: those whose bucket is not full again. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Counts one more of a sender's, or says in how many ms there may be one. */
  take(sender: string, cost = 1): { readonly retryAfterMs: number } | undefined {
    const { bucket, retryAfterMs } = take(this.#bucketOf(sender), this.#rate, cost, this.#now());
    this.#keep(sender, bucket);
    return retryAfterMs === undefined ? undefined : { retryAfterMs };
  }

  /** Counts what a sender has cost already, whether it had that much or not: it waits until that is made up for. */
  charge(sender: string, cost: number): void {
    const { bucket } = take(this.#bucketOf(sender), this.#rate, 0, this.#now());
    this.#keep(sender, { ...bucket, tokens: Math.max(-this.#rate.burst, bucket.tokens - cost) });
  }

  #bucketOf(sender: string): Bucket {
    return this.#buckets.get(sender) ?? { tokens: this.#rate.burst, atMs: this.#now() };
  }

  #keep(sender: string, bucket: Bucket): void {
    this.#buckets.delete(sender);
    this.#buckets.set(sender, bucket);
    const nowMs = this.#now();
    for (const [oldest, bucket] of this.#buckets) {
      // Who has all of its bucket again is as one who never came.
      if (this.#buckets.size <= this.#max && !this.#isFull(bucket, nowMs)) break;
      this.#buckets.delete(oldest);
    }
  }

  #isFull({ tokens, atMs }: Bucket, nowMs: number): boolean {
    const { perSecond, burst } = this.#rate;
    return tokens + (nowMs - atMs) / 1_000 * perSecond >= burst;
  }
}
