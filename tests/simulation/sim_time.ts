import { setImmediate } from "node:timers";

/** Time as actors see it: gateways, clients and workers all take such a one. */
export type SimClock = {
  readonly now: () => number;
  readonly elapsed: () => number;
  readonly after: (delayMs: number, run: () => void) => () => void;
  readonly random: () => number;
};

type Timer = { readonly dueMs: number; readonly order: number; readonly run: () => void; isOff: boolean };

/** The one time of a simulation. It stands still until all that could happen at a moment has happened. */
export class SimTime {
  readonly startMs = Date.UTC(2024, 0, 1);
  #nowMs = this.startMs;
  #order = 0;
  /** A heap: whoever is due first is first. */
  readonly #timers: Timer[] = [];
  /** How many timers ran. */
  steps = 0;

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer: Timer = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      order: ++this.#order,
      run,
      isOff: false,
    };
    this.#push(timer);
    return () => void (timer.isOff = true);
  }

  /** Time for somebody who may die: then none of its timers runs any more. Its clock may be wrong by `skewMs`. */
  life(random: () => number, skewMs = 0): Life {
    const life: Life = {
      isOver: false,
      clock: {
        now: () => this.#nowMs + skewMs,
        elapsed: () => this.#nowMs,
        after: (delayMs, run) => this.after(delayMs, () => life.isOver || run()),
        random,
      },
    };
    return life;
  }

  /** Lets `ms` pass, in which whatever comes due happens in its order, each with all that follows of it at once. */
  async pass(ms: number, after: () => void = () => {}): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#timers[0]; next !== undefined && next.dueMs <= endMs; next = this.#timers[0]) {
      this.#pop();
      if (next.isOff) continue;
      this.#nowMs = next.dueMs;
      this.steps++;
      next.run();
      await settled();
      after();
    }
    this.#nowMs = endMs;
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !isBefore(timer, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#timers;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      const isRight = left !== undefined && right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (child === undefined || !isBefore(child, last)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

/** Somebody's time, until it dies. */
export type Life = { isOver: boolean; readonly clock: SimClock };

function isBefore(one: Timer, other: Timer): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}

/** Resolves when every promise that waits for no timer has been followed to its end. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
