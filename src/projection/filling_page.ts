import type { TaskQuery } from "../protocol/client_frames.ts";
import type { TaskPage, TaskStatusData } from "../protocol/server_frames.ts";

/** The most that the tasks of a page weigh, in bytes of JSON; one task alone may weigh more. */
export const PAGE_BYTES = 4_194_304;

const encoder = new TextEncoder();
const BEYOND_ASCII = /\P{ASCII}/u;

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
    this.#bytes += utf8Bytes(JSON.stringify(task));
    this.#isFull = this.#bytes > PAGE_BYTES && this.#tasks.length > 0;
    if (!this.#isFull) this.#tasks.push(task);
    return !this.#isFull;
  }

  /** Takes these in turn; false where not all of them fit. */
  addAll(tasks: readonly TaskStatusData[]): boolean {
    return tasks.every((task) => this.add(task));
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

/** How many bytes a text is as UTF-8; the usual text, all ASCII, is not encoded to be counted. */
function utf8Bytes(text: string): number {
  return BEYOND_ASCII.test(text) ? encoder.encode(text).length : text.length;
}

/** The greatest whole number up to `most` that divides `whole`. */
function greatestDivisor(whole: number, most: number): number {
  let divisor = most;
  while (whole % divisor !== 0) divisor--;
  return divisor;
}
