import { Block } from "./block.ts";
import type { Delivery } from "./delivery.ts";

/** How much of the recent past is kept in memory. */
export type TailBounds = { readonly maxEvents: number; readonly maxBytes: number };

/** What one slow reader is handed at once, and may make us hold. */
const BLOCK_DELIVERIES = 256;
const BLOCK_BYTES = 262_144;
/** A tail has at least so many blocks when it is full, so that letting go of one takes but a little of it. */
const LEAST_BLOCKS = 16;

/**
 * The most recent deliveries, in blocks. Whoever's cursor is at or after `floor` is served from here; whoever is
 * older reads the log. At either bound the oldest block is forgotten and `floor` rises.
 */
export class Tail {
  readonly #bounds: TailBounds;
  readonly #blockBounds: TailBounds;
  #blocks: Block[] = [];
  #size = 0;
  #bytes = 0;
  #floor: number;

  constructor(bounds: TailBounds, floor: number) {
    this.#bounds = bounds;
    this.#blockBounds = {
      maxEvents: Math.min(BLOCK_DELIVERIES, bounds.maxEvents / LEAST_BLOCKS),
      maxBytes: Math.min(BLOCK_BYTES, bounds.maxBytes / LEAST_BLOCKS),
    };
    this.#floor = floor;
  }

  /** Everything after this position that had something to tell is here. */
  get floor(): number {
    return this.#floor;
  }

  /** How many deliveries are kept. */
  get size(): number {
    return this.#size;
  }

  /** What they weigh, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the newest delivery. */
  push(delivery: Delivery): void {
    const newest = this.#blocks.at(-1);
    const { maxEvents, maxBytes } = this.#blockBounds;
    if (newest === undefined || newest.size >= maxEvents || newest.bytes >= maxBytes) {
      this.#blocks.push(new Block([delivery]));
    } else {
      newest.push(delivery);
    }
    this.#size++;
    this.#bytes += delivery.bytes;
    while (this.#size > this.#bounds.maxEvents || this.#bytes > this.#bounds.maxBytes) {
      const oldest = this.#blocks.shift();
      if (oldest === undefined) break;
      this.#floor = oldest.lastSeq;
      this.#size -= oldest.size;
      this.#bytes -= oldest.bytes;
    }
  }

  /** The blocks with anything after `after`, which must not lie before `floor`. The last one still grows. */
  after(after: number): readonly Block[] {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle]?.lastSeq ?? Infinity) > after) high = middle;
      else low = middle + 1;
    }
    return this.#blocks.slice(low);
  }
}
