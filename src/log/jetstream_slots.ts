import { LogError } from "./event_log.ts";

/** A fixed number of places, taken in the order in which they are asked for. */
export class Slots {
  #free: number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];

  /** `count` places; when `maxWaiting` wait for one already, asking for one rejects. */
  constructor(count: number, maxWaiting: number) {
    this.#free = count;
    this.#maxWaiting = maxWaiting;
  }

  /** Resolves with what gives the place back. Rejects with `LogError` "unreachable" when too many wait. */
  async take(): Promise<Disposable> {
    if (this.#free > 0) this.#free--;
    else if (this.#waiting.length >= this.#maxWaiting) {
      throw new LogError("unreachable", `More than ${this.#maxWaiting} wait for the log already`);
    } else {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    return { [Symbol.dispose]: () => this.#give() };
  }

  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
