import type { TaskQuery } from "../protocol/client_frames.ts";
import type { TaskPage, TaskStatusData } from "../protocol/server_frames.ts";

/** The most that the tasks of a page weigh, in bytes of JSON; one task alone may weigh more. */
export const PAGE_BYTES = 4_194_304;

const encoder = new TextEncoder();

/**
 * A page of tasks that is being filled. One that would weigh too much comes as if a smaller page had been asked for, whose
 * size divides that which was: so pages of the smaller size go on right behind it.
 */
export class FillingPage {
  readonly #query: Pick<TaskQuery, "page" | "limit">;
  readonly #tasks: TaskStatusData[] = [];
  #bytes = 0;
  #isFull = false;

  constructor(query: Pick<TaskQuery, "page" | "limit">) {
    this.#query = query;
  }

  /** Takes the next task; false where it does not fit any more, nor does any after it. */
  add(task: TaskStatusData): boolean {
    if (this.#isFull) return false;
    this.#bytes += encoder.encode(JSON.stringify(task)).length;
    this.#isFull = this.#bytes > PAGE_BYTES && this.#tasks.length > 0;
    if (!this.#isFull) this.#tasks.push(task);
    return !this.#isFull;
  }

  /** The page; `total` tasks fit in all. */
  done(total: number): TaskPage {
    const { page, limit } = this.#query;
    const tasks = this.#tasks;
    if (!this.#isFull) {
      return page * limit < total ? { tasks, total, next_page: page + 1 } : { tasks, total };
    }
    const smaller = greatestDivisor(limit, tasks.length);
    const before = (page - 1) * limit / smaller;
    return { tasks: tasks.slice(0, smaller), total, next_page: before + 2, limit: smaller };
  }
}

/** The greatest whole number up to `most` that divides `whole`. */
function greatestDivisor(whole: number, most: number): number {
  let divisor = most;
  while (whole % divisor !== 0) divisor--;
  return divisor;
}
