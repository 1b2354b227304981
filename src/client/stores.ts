import type { Store } from "./store.ts";

/** So many stores may be remembered before those that nobody has any more are looked for. */
const LEAST_SWEPT = 100;

/** The stores that somebody has. */
export class Stores {
  readonly #stores = new Map<string, WeakRef<Store<unknown>>>();
  #sweepAt = LEAST_SWEPT;

  /** The same store for who asks for the same, so that frameworks may ask at every render; for as long as anybody has it. */
  of<T>(key: string, make: () => Store<T>): Store<T> {
    // What is kept under a key is made by one caller, and so of one type.
    const known = this.#stores.get(key)?.deref() as Store<T> | undefined;
    if (known !== undefined) return known;
    const made = make();
    this.#stores.set(key, new WeakRef(made));
    if (this.#stores.size > this.#sweepAt) {
      for (const [old, store] of this.#stores) if (store.deref() === undefined) this.#stores.delete(old);
      this.#sweepAt = Math.max(LEAST_SWEPT, 2 * this.#stores.size);
    }
    return made;
  }
}
