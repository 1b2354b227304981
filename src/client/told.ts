import { positionOf, type TaskFrame } from "./task_frame.ts";

/** Of so many tasks positions are remembered: more than a gateway may ever tell of twice. */
const MAX_TASKS = 50_000;

/** What somebody was told: up to which position of each task, and what is told once. */
export class Told {
  /** That some topics have to wait. */
  ofWaiting = false;
  /** That the beginning of the past is gone. */
  ofTruncation = false;
  readonly #tasks = new Map<string, { task_progress: number; task_status: number }>();

  /** Whether a frame tells something new; from then on it does not. */
  isNews(frame: TaskFrame): boolean {
    const { task_id: id } = frame.data;
    const last = this.#tasks.get(id) ?? { task_progress: 0, task_status: 0 };
    const position = positionOf(frame);
    if (position <= last[frame.type]) return false;
    last[frame.type] = position;
    this.#tasks.set(id, last);
    if (this.#tasks.size > MAX_TASKS) {
      for (const first of this.#tasks.keys()) {
        this.#tasks.delete(first);
        break;
      }
    }
    return true;
  }

  /** Forgets every position: they mean something else now. */
  clear(): void {
    this.#tasks.clear();
  }
}
