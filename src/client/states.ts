import { type ConnectionState, sameState } from "./connection_state.ts";
import { guarded } from "./listener.ts";

/** The state that a connection is in, and who is told of each that it comes to, in order. */
export class States {
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  /** States that listeners have still to be told of. */
  readonly #news: ConnectionState[] = [];
  #current: ConnectionState = { kind: "connecting" };

  get current(): ConnectionState {
    return this.#current;
  }

  on(listener: (state: ConnectionState) => void): () => void {
    const own = guarded(listener);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  become(state: ConnectionState): void {
    if (sameState(state, this.#current)) return;
    this.#current = state;
    this.#news.push(state);
    if (this.#news.length > 1) return; // whoever tells of those before tells of this one too
    for (const news of this.#news) {
      for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) listener(news);
    }
    this.#news.length = 0;
  }
}
