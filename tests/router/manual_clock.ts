import type { Clock } from "../../src/router/router.ts";

type Timer = { readonly dueMs: number; readonly order: number; readonly run: () => void };

/** Time that stands still until a test moves it, by a clock that it may set as well. */
export class ManualClock implements Clock {
  #nowMs: number;
  #setBy = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(nowMs = Date.UTC(2024, 0, 1)) {
    this.#nowMs = nowMs;
  }

  /** How many calls are still to come. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs + this.#setBy;
  }

  elapsed(): number {
    return this.#nowMs;
  }

  /** Sets the clock by `ms`, forward or back; no time passes. */
  set(ms: number): void {
    this.#setBy += ms;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: ++this.#order, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** The process stands still: time passes, and what comes due in it waits until it goes on. */
  standStill(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers]) {
      this.#timers.delete(timer);
      this.#timers.add({ ...timer, dueMs: timer.dueMs + ms });
    }
  }

  /** Lets `ms` pass, and runs what comes due at its time and in its order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs > endMs) continue;
      if (
        first === undefined || timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.order < first.order)
      ) first = timer;
    }
    return first;
  }
}
