import type { TaskNames } from "../access/scope.ts";
import type { EventLog } from "../log/event_log.ts";
import type { TaskTable } from "./task_table.ts";

/** How far somebody was told of removals: of all before position `at`, and of those at it that are among the first `count`. */
export type Told = { readonly at: number; readonly count: number };

type Removal = { readonly task: TaskNames; readonly at: number };

const MAX_REMOVALS = 10_000;
/** So many looks at what retention took are remembered. */
const MAX_LOOKS = 1_024;
/** A gateway that noticed late what retention took did so no more than so many looks after us. */
const LATE_LOOKS = 2;

/**
 * Which tasks left memory, and how far the log had been followed then: a removal is no event, so no page of the log
 * tells of it to those who come back to `task:list`. The newest 10,000 are remembered; whoever was told of less than
 * what went before them has to be told the whole list anew.
 */
export class Removals {
  readonly #max: number;
  #items: Removal[] = [];
  #start = 0;
  #count = 0;
  #floor: Told = { at: 0, count: 0 };
  /** Where the log had been followed to at each look at what retention took, the boot being the first. */
  #looks: number[] = [0];

  constructor(max = MAX_REMOVALS) {
    this.#max = max;
  }

  /** How many there were, forgotten ones too. */
  get count(): number {
    return this.#count;
  }

  /** Begins anew at a boot. `isWhole`: no task had left before, so that nobody can have missed that. */
  reset(head: number, isWhole: boolean): void {
    this.#items = [];
    this.#start = 0;
    this.#floor = isWhole ? { at: 0, count: 0 } : { at: head, count: this.#count };
    this.#looks = [head];
  }

  /** Notes tasks that left while the log had been followed up to `at`, which never falls. */
  note(tasks: readonly TaskNames[], at: number): void {
    for (const task of tasks) this.#items.push({ task, at });
    this.#count += tasks.length;
    const excess = this.#items.length - this.#start - this.#max;
    if (excess <= 0) return;
    this.#start += excess;
    const newest = this.#items[this.#start - 1];
    if (newest !== undefined) this.#floor = { at: newest.at, count: this.#count - this.#max };
    if (this.#start < this.#max) return;
    this.#items = this.#items.slice(this.#start);
    this.#start = 0;
  }

  /** Notes that what retention took was looked for, and noted. */
  looked(head: number): void {
    if (this.#looks.length > LATE_LOOKS && this.#looks.slice(-LATE_LOOKS).every((at) => at === head)) return;
    this.#looks.push(head);
    if (this.#looks.length > MAX_LOOKS) this.#looks.shift();
  }

  /** Whether everything after `told` is remembered. */
  covers(told: Told): boolean {
    return !isBefore(told, this.#floor);
  }

  /**
   * What a client that comes back with cursor `seq` was told for certain. Another gateway, which it comes from, may have
   * noticed later than this one what retention took.
   */
  toldBy(seq: number): Told {
    const before = this.#looks.findLastIndex((at) => at < seq);
    const at = before >= LATE_LOOKS ? this.#looks[before - LATE_LOOKS + 1] ?? 0 : 0;
    return { at: Math.min(seq, at), count: 0 };
  }

  /** The tasks that left after `told`, and before the log was followed up to `until`; each once. */
  *after(told: Told, until = Infinity): Generator<TaskNames> {
    const seen = new Set<string>();
    const first = this.#count - (this.#items.length - this.#start);
    for (let i = this.#firstAt(told.at); i < this.#items.length; i++) {
      const removal = this.#items[i];
      if (removal === undefined || removal.at >= until) return;
      const { task } = removal;
      if (seen.has(task.taskId) || (removal.at === told.at && first + i - this.#start < told.count)) continue;
      seen.add(task.taskId);
      yield task;
    }
  }

  #firstAt(at: number): number {
    let low = this.#start;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.at ?? Infinity) >= at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function isBefore(one: Told, other: Told): boolean {
  return one.at < other.at || (one.at === other.at && one.count < other.count);
}

/**
 * Whether no task of this log can have left any gateway's memory up to now: it begins at its first record, and all fit.
 * Rejects with a LogError.
 */
export async function hasLostNone(log: EventLog, tasks: TaskTable): Promise<boolean> {
  return !tasks.hasEvicted && (await log.extent()).firstSeq <= 1;
}
