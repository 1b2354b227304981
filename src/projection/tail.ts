import type { Delivery } from "./delivery.ts";

/** How much of the recent past is kept in memory. */
export type TailBounds = { readonly maxEvents: number; readonly maxBytes: number };

/** What a delivery is taken to weigh beside its encoded frames: objects, strings and slots, in bytes. */
const OVERHEAD_BYTES = 1_200;

/**
 * The most recent deliveries, in order. Whoever's cursor is at or after `floor` is served from here; whoever is
 * older reads the log. At either bound the oldest are forgotten and `floor` rises.
 */
export class Tail {
  readonly #bounds: TailBounds;
  #items: Delivery[] = [];
  #start = 0;
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

  /** Adds the newest delivery. */
  push(delivery: Delivery): void {
    this.#items.push(delivery);
    const max = Math.min(this.#bounds.maxEvents, Math.floor(this.#bounds.maxBytes / OVERHEAD_BYTES));
    while (this.size > max) {
      const oldest = this.#items[this.#start++];
      if (oldest !== undefined) this.#floor = oldest.seq;
    }
    if (this.#start > 1024 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
  }

  /** Up to `limit` deliveries after `after`, which must not lie before `floor`. */
  after(after: number, limit: number): readonly Delivery[] {
    let low = this.#start;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.seq ?? Infinity) > after) high = middle;
      else low = middle + 1;
    }
    return this.#items.slice(low, low + limit);
  }
}
