import type { Entry, EventLog } from "../log/event_log.ts";
import { isTaskId } from "../protocol/names.ts";
import { namesIn } from "../task/worker_event.ts";
import type { Standing } from "./imported.ts";

/** Tasks of which nothing was stored, because the target had events of them from elsewhere. */
export type TasksThere = {
  /** How many, and how many records of theirs; of those that this run came upon. */
  readonly count: number;
  readonly records: number;
  readonly first: readonly string[];
};

/** So many tasks are remembered at once. */
const REMEMBERED = 100_000;
const KEPT_NAMES = 20;

/**
 * Tells tasks that the target has from elsewhere: what is older would come to lie behind what is newer there, and a task is
 * the last of its events.
 */
export class OthersTasks {
  readonly #log: EventLog | undefined;
  readonly #standing: Standing;
  readonly #known = new Map<string, boolean>();
  readonly #first: string[] = [];
  #count = 0;
  #records = 0;

  /** `log`: the target, unless it holds nothing. */
  constructor(log: EventLog | undefined, standing: Standing) {
    this.#log = log;
    this.#standing = standing;
  }

  /** The entries without those of such tasks. */
  async without(entries: readonly Entry[]): Promise<readonly Entry[]> {
    const log = this.#log;
    if (log === undefined) return entries;
    if (this.#known.size > REMEMBERED) this.#known.clear();
    const unknown = new Set(entries.map(taskOf).filter((task) => task !== "" && !this.#known.has(task)));
    await Promise.all([...unknown].map((task) => this.#look(log, task)));
    return entries.filter((entry) => {
      const isOthers = this.#known.get(taskOf(entry)) === true;
      if (isOthers) this.#records++;
      return !isOthers;
    });
  }

  told(): TasksThere {
    return { count: this.#count, records: this.#records, first: this.#first };
  }

  async #look(log: EventLog, task: string): Promise<void> {
    const { entries: [first] } = await log.read({ after: 0, subject: `task.${task}.>`, limit: 1, ids: true });
    const isOthers = first !== undefined && !this.#standing.isMoved(first);
    this.#known.set(task, isOthers);
    if (!isOthers) return;
    this.#count++;
    if (this.#first.length < KEPT_NAMES) this.#first.push(task);
  }
}

/** The task of an event; empty where it is of none. */
function taskOf({ subject }: Entry): string {
  const { taskId = "" } = namesIn(subject) ?? {};
  return isTaskId(taskId) ? taskId : "";
}
