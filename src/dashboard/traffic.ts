import type { PushedFrame } from "../client/client.ts";

/** What came within one second: how far the stream went, and how late the latest frame of it was, ms. */
export type Second = { readonly events: number; readonly lagMs: number | null };

/** So many seconds are remembered. */
export const SECONDS = 60;

/** Counts what is pushed, a second at a time. */
export class Traffic {
  #head = 0;
  #lastHead = 0;
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

  /** Takes a frame in. While a replay is under way (`isLive` false) it moves the head, and counts as no traffic. */
  note(frame: PushedFrame, { isLive, nowMs }: { readonly isLive: boolean; readonly nowMs: number }): void {
    const position = positionOf(frame);
    if (frame.type === "gap") {
      // Positions of another life of the stream mean nothing here.
      if (frame.data.reason === "epoch") this.#head = this.#lastHead = position;
      return;
    }
    const isFirst = this.#head === 0;
    if (position > this.#head) this.#head = position;
    if (!isLive || isFirst) {
      this.#lastHead = this.#head;
      return;
    }
    if (frame.type === "caught_up") return;
    this.#lagMs = Math.max(nowMs - frame.timestamp, this.#lagMs ?? 0, 0);
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
