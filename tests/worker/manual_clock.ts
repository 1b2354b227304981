import type { Clock } from "../../src/worker/clock.ts";

/** Lets everything that is ready to go on do so, timers of the machine excepted. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setTimeout(resolve, 0));
}

type Timer = { readonly atMs: number; readonly then: () => void };

/** A clock that stands still until it is advanced. */
export class ManualClock implements Clock {
  #nowMs: number;
  #setBy = 0;
  #timers: Timer[] = [];
  /** What `random` returns. */
  chance = 0;

  constructor(nowMs = 1_000_000) {
    this.#nowMs = nowMs;
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.length;
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

  after(ms: number, then: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, then };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  random(): number {
    return this.chance;
  }

  /** Lets `ms` go by: timers fire in order, and what they set off goes on before the next one. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#fire(timer);
      await settled();
    }
    this.#nowMs = untilMs;
  }

  /** As {@link advance}, for what does not wait for promises. */
  advanceSync(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) this.#fire(timer);
    this.#nowMs = untilMs;
  }

  #fire(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
    this.#nowMs = timer.atMs;
    timer.then();
  }

  #next(untilMs: number): Timer | undefined {
    const due = this.#timers.filter((timer) => timer.atMs <= untilMs);
    return due.sort((a, b) => a.atMs - b.atMs)[0];
  }
}
