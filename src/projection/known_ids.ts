/**
 * Remembers, in fixed memory, which task ids were evicted: a Bloom filter (Bloom 1970) of 2²⁴ bits with 4 hashes.
 * It may say yes of an id it never saw (1 % at 1.7 million ids), which costs a needless look into the log; it never
 * says no of one that it saw.
 */
export class KnownIds {
  readonly #bits = new Uint32Array(1 << 19);
  #count = 0;

  /** How many ids were added. */
  get count(): number {
    return this.#count;
  }

  /** Remembers `id`. */
  add(id: string): void {
    this.#count++;
    for (const bit of bitsOf(id)) {
      const word = bit >>> 5;
      this.#bits[word] = (this.#bits[word] ?? 0) | (1 << (bit & 31));
    }
  }

  /** Whether `id` may have been added. */
  mayHave(id: string): boolean {
    if (this.#count === 0) return false;
    return bitsOf(id).every((bit) => ((this.#bits[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0);
  }
}

/** Four bit numbers below 2²⁴ from two FNV-1a hashes (double hashing: Kirsch & Mitzenmacher 2006). */
function bitsOf(id: string): number[] {
  let one = 0x811c9dc5;
  let two = 0x01000193;
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i);
    one = Math.imul(one ^ code, 0x01000193);
    two = Math.imul(two ^ code, 0x85ebca6b);
  }
  return [0, 1, 2, 3].map((i) => (one + Math.imul(i, two | 1)) >>> 8);
}
