import type { PushedFrame } from "../client/client.ts";

/** What came within one second: how far the stream went, and how late the latest frame of it was, ms. */
export type Second = { readonly events: number; readonly lagMs: number | null };

/** So many seconds are remembered. */
export const SECONDS = 60;

/** Counts what is pushed, a second at a time. */
export class Traffic {
  #head = 0;
  #lastHead = 0;
  /** Whether what comes may be of the past. */
  #isReplay = true;
  #lagMs: number | null = null;
  #seconds: readonly Second[] = [];

  /** The furthest position that was heard of. */
  get head(): number {
    return this.#head;
  }

  /** The last {@link SECONDS} seconds, the newest last. */
  get seconds(): readonly Second[] {
    return this.#seconds;
  }

  /** The connection is gone: what comes next tells of what was missed. */
  down(): void {
    this.#isReplay = true;
  }

  /** Takes a frame in, at the gateway's time. What a replay brings moves the head, and counts as no traffic. */
  note(frame: PushedFrame, nowMs: number): void {
    const position = positionOf(frame);
    if (frame.type === "gap") {
      this.#isReplay = true;
      // Positions of another life of the stream mean nothing here.
      if (frame.data.reason === "epoch") this.#head = this.#lastHead = position;
      return;
    }
    if (position > this.#head) this.#head = position;
    if (this.#isReplay) this.#lastHead = this.#head;
    if (frame.type === "caught_up") this.#isReplay = false;
    else if (!this.#isReplay) this.#lagMs = Math.max(nowMs - frame.timestamp, this.#lagMs ?? 0, 0);
  }

  /** A second is over. */
  tick(): void {
    const second = { events: this.#head - this.#lastHead, lagMs: this.#lagMs };
    this.#lastHead = this.#head;
    this.#lagMs = null;
    this.#seconds = [...this.#seconds, second].slice(-SECONDS);
  }
}

/** The position that a frame speaks of; 0 where it names none. */
function positionOf(frame: PushedFrame): number {
  if (frame.type === "caught_up") return frame.data.seq;
  if (frame.type === "gap") return frame.data.missed_to;
  // Progress that comes with a status has no `seq` of its own; its position is in its id.
  return frame.seq ?? Number(/^(?:progress|status)_(\d+)$/.exec(frame.id)?.[1] ?? 0);
}
