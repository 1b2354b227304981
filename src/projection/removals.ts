import type { Scope, TaskNames } from "../access/scope.ts";
import { Forgotten, kindOf, type Told } from "./forgotten.ts";

/** A task that left; `count` of them had by then. */
type Removal = { readonly task: TaskNames; readonly at: number; readonly count: number };

const MAX_REMOVALS = 10_000;
/** Some are forgotten at once, as all have to be looked through for that: an eighth. */
const SLACK = 1 / 8;
/** So many looks at what retention took are remembered. */
const MAX_LOOKS = 1_024;
/** A gateway that noticed late what retention took did so no more than so many looks after us. */
const LATE_LOOKS = 2;

/**
 * Which tasks left memory, and how far the log had been followed then: a removal is no event, so no page of the log
 * tells of it to those who come back to `task:list`. The newest 10,000 are remembered, of each kind of tags its share, so that
 * who has many tasks has nobody's forgotten but its own; whoever was told of less than what went before them, and may have
 * seen some of that, has to be told the whole list anew.
 */
export class Removals {
  readonly #max: number;
  #items: Removal[] = [];
  #count = 0;
  readonly #forgotten = new Forgotten();
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
    this.#forgotten.reset(isWhole ? { at: 0, count: 0 } : { at: head, count: this.#count });
    this.#looks = [head];
  }

  /** Notes tasks that left while the log had been followed up to `at`, which never falls. */
  note(tasks: readonly TaskNames[], at: number): void {
    for (const task of tasks) this.#items.push({ task, at, count: ++this.#count });
    if (this.#items.length > this.#max + Math.floor(this.#max * SLACK)) this.#forget();
  }

  /** Lets the oldest of those kinds go that have more than their share; and the oldest of all, where there are too many kinds. */
  #forget(): void {
    const left = new Map<string, number>();
    for (const { task } of this.#items) {
      const kind = kindOf(task.tags);
      left.set(kind, (left.get(kind) ?? 0) + 1);
    }
    const share = shareOf([...left.values()], this.#max);
    const kept = this.#items.filter((removal) => {
      const kind = kindOf(removal.task.tags);
      const count = left.get(kind) ?? 0;
      if (count <= share) return true;
      left.set(kind, count - 1);
      this.#forgotten.add(removal.task, removal);
      return false;
    });
    const excess = Math.max(0, kept.length - this.#max);
    for (const removal of kept.slice(0, excess)) this.#forgotten.add(removal.task, removal);
    this.#items = kept.slice(excess);
  }

  /** Notes that what retention took was looked for, and noted. */
  looked(head: number): void {
    if (this.#looks.length > LATE_LOOKS && this.#looks.slice(-LATE_LOOKS).every((at) => at === head)) return;
    this.#looks.push(head);
    if (this.#looks.length > MAX_LOOKS) this.#looks.shift();
  }

  /** Whether everything after `told` is remembered that whoever sees the tasks of `scope` may have seen; default: all. */
  covers(told: Told, scope?: Scope): boolean {
    return this.#forgotten.hasNoneAfter(told, scope);
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
    for (let i = this.#firstAt(told.at); i < this.#items.length; i++) {
      const removal = this.#items[i];
      if (removal === undefined || removal.at >= until) return;
      const { task } = removal;
      if (seen.has(task.taskId) || (removal.at === told.at && removal.count <= told.count)) continue;
      seen.add(task.taskId);
      yield task;
    }
  }

  #firstAt(at: number): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.at ?? Infinity) >= at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** How many of each group may stay so that no more than `max` do in all, and the small ones stay whole; at least one. */
function shareOf(sizes: readonly number[], max: number): number {
  let room = max;
  const ascending = sizes.toSorted((one, other) => one - other);
  for (const [i, size] of ascending.entries()) {
    const share = Math.floor(room / (ascending.length - i));
    if (size > share) return Math.max(1, share);
    room -= size;
  }
  return max;
}
