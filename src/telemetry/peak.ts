/** How long a peak is remembered at least, in ms: longer than anybody waits between two collections. */
const WINDOW_MS = 60_000;

/**
 * The greatest of the recent values. Noting one costs a comparison; time passes only where it is read, so that
 * what is read is the peak of the last minute or two, or since the last reading but one where that is longer ago.
 */
export class Peak {
  readonly #now: () => number;
  #current = 0;
  #previous = 0;
  #since: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** Notes a value. */
  note(value: number): void {
    if (value > this.#current) this.#current = value;
  }

  /** The greatest recent value; 0 when there was none. */
  read(): number {
    const now = this.#now();
    const peak = Math.max(this.#current, this.#previous);
    if (now - this.#since >= WINDOW_MS) {
      this.#previous = this.#current;
      this.#current = 0;
      this.#since = now;
    }
    return peak;
  }
}
