import { guarded } from "./listener.ts";

/** A value that changes, as React's `useSyncExternalStore`, Svelte's `$` and Vue take it in one line. */
export interface Store<T> {
  /** Calls `listener` now and after each change; returns how to stop that. While nobody listens nothing is subscribed to. */
  subscribe(listener: (value: T) => void): () => void;
  /** The value as it is; the same object until it changes. */
  getSnapshot(): T;
}

/** A store that works only while somebody listens. */
export class LiveStore<T> implements Store<T> {
  readonly #begin: (set: (change: (value: T) => T) => void) => () => void;
  readonly #listeners = new Set<(value: T) => void>();
  #value: T;
  #end: (() => void) | undefined;

  /** `begin` is called with the first listener and returns what is called after the last. */
  constructor(initial: T, begin: (set: (change: (value: T) => T) => void) => () => void) {
    this.#value = initial;
    this.#begin = begin;
  }

  // Both are handed to frameworks without their object.
  readonly subscribe = (listener: (value: T) => void): () => void => {
    const own = guarded(listener);
    // Nobody is told before it has begun: whoever is told may subscribe too.
    this.#end ??= this.#begin((change) => this.#set(change));
    this.#listeners.add(own);
    own(this.#value);
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return;
      this.#end?.();
      this.#end = undefined;
    };
  };

  readonly getSnapshot = (): T => this.#value;

  #set(change: (value: T) => T): void {
    const value = change(this.#value);
    if (value === this.#value) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) {
      // Whoever was told may have changed it again, and all have been told of that.
      if (value === this.#value && this.#listeners.has(listener)) listener(value);
    }
  }
}
