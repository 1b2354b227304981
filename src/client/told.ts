import type { ServerFrame } from "../protocol/server_frames.ts";
import { forgetFirst } from "./oldest.ts";
import { aboutOf, isNewsFrame, type NewsFrame, positionOf } from "./task_frame.ts";

/** Of so many tasks positions are remembered: more than a gateway may ever tell of twice. */
const MAX_TASKS = 50_000;

/** What somebody was told: up to which position of each task, and what is not told twice. */
export class Told {
  /** That what comes is live. */
  isLive = false;
  /** Nothing yet: who has just come to topics that others watch is about to be told how things are. */
  isNew = false;
  /** That some topics have to wait. */
  ofWaiting = false;
  /** That the beginning of the past is gone. */
  ofTruncation = false;
  readonly #tasks = new Map<string, { [T in NewsFrame["type"]]?: number }>();

  /** Whether a frame is to be told; what it tells of a task is no news any more then. */
  isNews(frame: ServerFrame): boolean {
    if (this.isNew) return false;
    if (!isNewsFrame(frame)) return true;
    const id = aboutOf(frame);
    const last = this.#tasks.get(id) ?? {};
    const position = positionOf(frame);
    if (position <= (last[frame.type] ?? 0)) return false;
    last[frame.type] = position;
    this.#tasks.set(id, last);
    if (this.#tasks.size > MAX_TASKS) forgetFirst(this.#tasks);
    return true;
  }

  /** Forgets every position: they mean something else now. */
  clear(): void {
    this.#tasks.clear();
  }
}
