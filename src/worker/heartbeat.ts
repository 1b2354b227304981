import type { Clock } from "./clock.ts";

/** A process that has nothing else to do works on no task, and would go on to say that it does for ever. */
const HOLDS_NOT = { holdsProcess: false };

/** Speaks for a task at work that has nothing to say: without that nobody can tell it from one whose worker is gone. */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #beat: () => void;
  #saidMs = 0;
  #stopTimer: (() => void) | undefined;

  /** `beat` is called whenever nothing was said for `everyMs`; 0: never. */
  constructor(clock: Clock, everyMs: number, beat: () => void) {
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#beat = beat;
  }

  /** Something was said by itself. */
  said(): void {
    this.#saidMs = this.#clock.elapsed();
  }

  /** Begins, where it has not. */
  start(): void {
    if (this.#everyMs === 0 || this.#stopTimer !== undefined) return;
    this.said();
    this.#wait(this.#everyMs);
  }

  /** Ends: the task is not worked on. */
  stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  #wait(ms: number): void {
    this.#stopTimer = this.#clock.after(ms, () => {
      const leftMs = this.#saidMs + this.#everyMs - this.#clock.elapsed();
      if (leftMs > 0) return this.#wait(leftMs);
      this.said();
      this.#wait(this.#everyMs);
      this.#beat();
    }, HOLDS_NOT);
  }
}
