import type { TaskState } from "../task/fold.ts";
import type { TaskEvent } from "../task/worker_event.ts";

/** A task as it was at some position, as far as that can be told. */
export type PastTask = {
  readonly state: TaskState | undefined;
  /** Whether that is all there was to know. */
  readonly whole: boolean;
  /** What may have described it, where nothing tells. */
  readonly guess?: TaskEvent<"created">;
};

/** Some 600 bytes each. */
const MAX_STATES = 50_000;

/**
 * Where replays of the log have come, and how the tasks that they met were there: so that the page that follows another
 * need not ask again how they were. What is forgotten at the bound has to be found out again.
 */
export class Scans {
  readonly #scans = new Map<string, Map<string, PastTask>>();
  #states = 0;

  /** The tasks that a replay of `scope` had met when it came to `at`. Whoever takes them goes on from there. */
  take(scope: string, at: number): Map<string, PastTask> {
    const key = `${at} ${scope}`;
    const tasks = this.#scans.get(key) ?? new Map<string, PastTask>();
    this.#scans.delete(key);
    this.#states -= tasks.size;
    return tasks;
  }

  /** Keeps the tasks of a replay that has come to `at`, those it met last last. */
  put(scope: string, at: number, tasks: Map<string, PastTask>): void {
    const key = `${at} ${scope}`;
    this.#states -= this.#scans.get(key)?.size ?? 0;
    this.#scans.delete(key);
    for (const id of tasks.keys()) {
      if (tasks.size <= MAX_STATES) break;
      tasks.delete(id);
    }
    this.#scans.set(key, tasks);
    this.#states += tasks.size;
    for (const [oldest, { size }] of this.#scans) {
      if (this.#states <= MAX_STATES) break;
      this.#scans.delete(oldest);
      this.#states -= size;
    }
  }
}
