import { othersFirst } from "../log/others_first.ts";
import type { TaskQuery } from "../protocol/client_frames.ts";
import { fits, type TaskFilter, type TaskRecord, type TaskTable } from "./task_table.ts";
import { WaitingPlaces } from "./waiting_places.ts";

/** A page of the tasks that fit, the newest first, and how many do in all. */
export type Listed = { readonly records: readonly TaskRecord[]; readonly total: number };

/** How much is looked at in one go, some 2 ms, before whatever else waits comes first. */
const AT_ONCE = 4_096;
/**
 * So many long lists may wait, one of which is looked up at a time, and so many of those who may see the same; further ones are
 * refused.
 */
const WAITING = { max: 64, maxAlike: 8 };

type Query = TaskFilter & Pick<TaskQuery, "limit" | "page">;

/**
 * Looks lists up. What an index or the newest tasks answer is there at once; what takes a look at many tasks is looked up in
 * pieces, so that no list makes others wait.
 */
export class TaskLists {
  readonly #table: () => TaskTable;
  readonly #atOnce: number;
  #last: Promise<unknown> = Promise.resolve();
  readonly #places = new WaitingPlaces(WAITING);

  /** `table`: the one there is, which a boot replaces. */
  constructor(table: () => TaskTable, atOnce: number = AT_ONCE) {
    this.#table = table;
    this.#atOnce = atOnce;
  }

  /** The list; undefined where too many wait for theirs. */
  of(query: Query): Listed | Promise<Listed> | undefined {
    const table = this.#table();
    const { records, size, isExact } = table.candidates(query);
    if (size <= this.#atOnce) return sorted(records, query);
    const walk = new ListWalk(table.newestFirst(), query, isExact ? size : undefined);
    if (walk.goOn(this.#atOnce)) return walk.listed;
    const leave = this.#places.take(query.scope);
    if (leave === undefined) return undefined;
    const listed = this.#last.then(() => this.#finish(walk));
    this.#last = listed.then(leave, leave);
    return listed;
  }

  async #finish(walk: ListWalk): Promise<Listed> {
    do await othersFirst(); while (!walk.goOn(this.#atOnce));
    return walk.listed;
  }
}

/** A list that is being looked up. */
class ListWalk {
  readonly #newestFirst: Iterator<TaskRecord>;
  readonly #query: Query;
  /** Known beforehand where an index tells. */
  readonly #total: number | undefined;
  readonly #page: TaskRecord[] = [];
  #fitting = 0;

  constructor(newestFirst: Iterator<TaskRecord>, query: Query, total: number | undefined) {
    this.#newestFirst = newestFirst;
    this.#query = query;
    this.#total = total;
  }

  get listed(): Listed {
    return { records: this.#page, total: this.#total ?? this.#fitting };
  }

  /** Looks at so many more; whether the list is done. */
  goOn(records: number): boolean {
    const { page, limit } = this.#query;
    for (let i = 0; i < records; i++) {
      if (this.#total !== undefined && this.#fitting >= Math.min(page * limit, this.#total)) return true;
      const next = this.#newestFirst.next();
      if (next.done) return true;
      if (!fits(next.value.state, this.#query)) continue;
      this.#fitting++;
      if (this.#fitting > (page - 1) * limit && this.#fitting <= page * limit) this.#page.push(next.value);
    }
    return false;
  }
}

function sorted(records: Iterable<TaskRecord>, query: Query): Listed {
  const fitting: TaskRecord[] = [];
  for (const record of records) if (fits(record.state, query)) fitting.push(record);
  fitting.sort((one, other) => other.order - one.order);
  const start = (query.page - 1) * query.limit;
  return { records: fitting.slice(start, start + query.limit), total: fitting.length };
}
