import type { Delivery } from "./delivery.ts";

/** How much of the recent past is kept in memory. */
export type TailBounds = { readonly maxEvents: number; readonly maxBytes: number };

/**
 * The most recent deliveries, in order. Whoever's cursor is at or after `floor` is served from here; whoever is
 * older reads the log. At either bound the oldest are forgotten and `floor` rises.
 */
export class Tail {
  readonly #bounds: TailBounds;
  #items: Delivery[] = [];
  #start = 0;
  #bytes = 0;
  #floor: number;

  constructor(bounds: TailBounds, floor: number) {
    this.#bounds = bounds;
    this.#floor = floor;
  }

  /** Everything after this position that had something to tell is here. */
  get floor(): number {
    return this.#floor;
  }

  /** How many deliveries are kept. */
  get size(): number {
    return this.#items.length - this.#start;
  }

  /** What they weigh, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the newest delivery. */
  push(delivery: Delivery): void {
    this.#items.push(delivery);
    this.#bytes += delivery.bytes;
    while (this.size > this.#bounds.maxEvents || this.#bytes > this.#bounds.maxBytes) {
      const oldest = this.#items[this.#start++];
      if (oldest === undefined) break;
      this.#floor = oldest.seq;
      this.#bytes -= oldest.bytes;
    }
    // What was forgotten is held on to until now: never more than a tenth of what is kept, beyond a few.
    if (this.#start > 256 && this.#start * 10 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
  }

  /**
   * The first deliveries after `after`, which must not lie before `floor`: as many as fit into the bounds, and one at
   * least. `more` where there are others behind them.
   */
  after(
    after: number,
    most: { readonly deliveries: number; readonly bytes: number },
  ): { readonly items: readonly Delivery[]; readonly more: boolean } {
    let low = this.#start;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.seq ?? Infinity) > after) high = middle;
      else low = middle + 1;
    }
    let end = low;
    for (
      let bytes = 0;
      end < this.#items.length && end - low < most.deliveries && bytes < most.bytes;
      end++
    ) {
      bytes += this.#items[end]?.bytes ?? 0;
    }
    return { items: this.#items.slice(low, end), more: end < this.#items.length };
  }
}
