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

/** What one state is taken to weigh, in bytes. */
const STATE_BYTES = 600;
/** All of them together, with what their replays are called by: a client names tasks in it, as many as it may hold. */
const MAX_BYTES = 30_000_000;

type Scan = { readonly at: number; readonly tasks: Map<string, PastTask>; readonly bytes: number };

/**
 * Where replays of the log have come, and how the tasks that they met were there: so that the page that follows another
 * need not ask again how they were. What is forgotten at the bound has to be found out again.
 */
export class Scans {
  /** The oldest first. */
  readonly #scans = new Map<string, Scan>();
  #bytes = 0;

  /** How many replays are remembered. */
  get size(): number {
    return this.#scans.size;
  }

  /** The tasks that a replay of `scope` had met when it came to `at`. Whoever takes them goes on from there. */
  take(scope: string, at: number): Map<string, PastTask> {
    const key = keyOf(scope, at);
    const tasks = this.#scans.get(key)?.tasks ?? new Map<string, PastTask>();
    this.#forget(key);
    return tasks;
  }

  /** Keeps the tasks of a replay that has come to `at`, those it met last last. One that has met none need not be remembered. */
  put(scope: string, at: number, tasks: Map<string, PastTask>): void {
    const key = keyOf(scope, at);
    this.#forget(key);
    for (const id of tasks.keys()) {
      if (weightOf(key, tasks) <= MAX_BYTES) break;
      tasks.delete(id);
    }
    if (tasks.size === 0) return;
    const bytes = weightOf(key, tasks);
    this.#scans.set(key, { at, tasks, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#scans.keys()) {
      if (this.#bytes <= MAX_BYTES) break;
      this.#forget(oldest);
    }
  }

  /** Forgets the replays that came no further than what the log has nothing of any more: from `firstSeq` on it has. */
  expire(firstSeq: number): void {
    for (const [key, { at }] of this.#scans) if (at < firstSeq - 1) this.#forget(key);
  }

  #forget(key: string): void {
    this.#bytes -= this.#scans.get(key)?.bytes ?? 0;
    this.#scans.delete(key);
  }
}

function keyOf(scope: string, at: number): string {
  return `${at} ${scope}`;
}

function weightOf(key: string, tasks: ReadonlyMap<string, PastTask>): number {
  return key.length + tasks.size * STATE_BYTES;
}
