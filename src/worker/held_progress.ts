import type { Clock } from "./clock.ts";
import { type Counters, merged } from "./counters.ts";
import { holdMs } from "./throttle.ts";

/** A task's counters, sent at most once an interval; the last ones always are. */
export class HeldProgress {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #send: (counters: Counters) => boolean;
  #counters: Counters = {};
  /** Whether `#counters` hold something that was not sent. */
  #held = false;
  #sentMs: number | undefined;
  #stopTimer: (() => void) | undefined;

  /** `send` returns false when there is no room: then it is called again after an interval, with what is newest then. */
  constructor(clock: Clock, intervalMs: number, send: (counters: Counters) => boolean) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#send = send;
  }

  /** What was said last, sent or not. */
  get counters(): Counters {
    return this.#counters;
  }

  /** Takes new counters; sends them now or when the interval is over. */
  say(counters: Counters): void {
    this.#counters = merged(this.#counters, counters);
    this.#held = true;
    if (this.#stopTimer !== undefined) return;
    const waitMs = holdMs(this.#sentMs, this.#clock.elapsed(), this.#intervalMs);
    if (waitMs === 0) this.sendNow();
    else this.#sendAfter(waitMs);
  }

  /** Sends the newest counters once more, an interval from now: what was sent did not stay. */
  again(): void {
    this.#held = true;
    if (this.#stopTimer === undefined) this.#sendAfter(this.#intervalMs);
  }

  /** Sends the newest counters once more, now: somebody has to see that there is somebody. */
  repeat(): void {
    this.#held = true;
    this.sendNow();
  }

  /** Sends what is held back, if anything is. */
  sendNow(): void {
    if (!this.#held) return;
    this.drop();
    this.#sentMs = this.#clock.elapsed();
    if (!this.#send(this.#counters)) this.again();
  }

  /** Sends nothing more of what was said: it goes another way, or nobody needs it. */
  drop(): void {
    this.#held = false;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  /** Starts over with these counters, unsent. */
  reset(counters: Counters): void {
    this.drop();
    this.#counters = counters;
  }

  #sendAfter(ms: number): void {
    this.#stopTimer = this.#clock.after(ms, () => this.sendNow());
  }
}
