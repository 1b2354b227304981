/** The first filter has 2²⁴ bits, 2 MiB, each further one twice as many: 30 MiB in all. */
const FIRST_BITS_LOG2 = 24;
const MAX_FILTERS = 4;
/** A filter is full when every id has ten bits: 1 % of strangers are then taken for known by it. */
const BITS_AN_ID = 10;

type Filter = { readonly words: Uint32Array; readonly bitsLog2: number; left: number };

/**
 * Remembers, in bounded memory, which task ids were evicted: Bloom filters (Bloom 1970) with 4 hashes, the next one when
 * one is full (Almeida et al. 2007). It may say yes of an id it never saw (1 % at 1.7 million ids, 4 % at 25 million, and
 * more beyond), which costs a needless look into the log; it never says no of one that it saw.
 */
export class KnownIds {
  /** The first is made for the first id: most gateways never let go of any. */
  readonly #filters: Filter[] = [];
  #count = 0;

  /** How many ids were added, those added again too. */
  get count(): number {
    return this.#count;
  }

  /** Remembers `id`. */
  add(id: string): void {
    const isHeld = this.mayHave(id);
    this.#count++;
    if (isHeld) return;
    let filter = this.#filters.at(-1);
    if (filter === undefined || (filter.left <= 0 && this.#filters.length < MAX_FILTERS)) {
      filter = filterOf(filter === undefined ? FIRST_BITS_LOG2 : filter.bitsLog2 + 1);
      this.#filters.push(filter);
    }
    filter.left--;
    for (const hash of hashesOf(id)) {
      const bit = hash >>> (32 - filter.bitsLog2);
      filter.words[bit >>> 5] = (filter.words[bit >>> 5] ?? 0) | (1 << (bit & 31));
    }
  }

  /** Whether `id` may have been added. */
  mayHave(id: string): boolean {
    if (this.#count === 0) return false;
    const hashes = hashesOf(id);
    return this.#filters.some(({ words, bitsLog2 }) =>
      hashes.every((hash) => {
        const bit = hash >>> (32 - bitsLog2);
        return ((words[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0;
      })
    );
  }
}

function filterOf(bitsLog2: number): Filter {
  return {
    words: new Uint32Array(2 ** (bitsLog2 - 5)),
    bitsLog2,
    left: Math.floor(2 ** bitsLog2 / BITS_AN_ID),
  };
}

/** Four 32-bit hashes from two of FNV-1a (double hashing: Kirsch & Mitzenmacher 2006). */
function hashesOf(id: string): readonly number[] {
  let one = 0x811c9dc5;
  let two = 0x01000193;
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i);
    one = Math.imul(one ^ code, 0x01000193);
    two = Math.imul(two ^ code, 0x85ebca6b);
  }
  return [0, 1, 2, 3].map((i) => one + Math.imul(i, two | 1));
}
