import type { ServerFrame } from "../protocol/server_frames.ts";
import { forgetFirst } from "./oldest.ts";
import { positionOf } from "./task_frame.ts";

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
  readonly #tasks = new Map<string, { task_progress: number; task_status: number }>();

  /** Whether a frame is to be told; what it tells of a task is no news any more then. */
  isNews(frame: ServerFrame): boolean {
    if (this.isNew) return false;
    if (frame.type !== "task_progress" && frame.type !== "task_status") return true;
    const { task_id: id } = frame.data;
    const last = this.#tasks.get(id) ?? { task_progress: 0, task_status: 0 };
    const position = positionOf(frame);
    if (position <= last[frame.type]) return false;
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
