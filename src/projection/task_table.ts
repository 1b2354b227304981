import type { Scope, TaskNames } from "../access/scope.ts";
import type { TaskQuery, TaskStatus } from "../protocol/client_frames.ts";
import { type Change, changeOf, fold, type TaskState } from "../task/fold.ts";
import type { Pace } from "../task/pace.ts";
import type { Silence } from "../task/silence.ts";
import { isTerminal, paced, statusOf } from "../task/task.ts";
import type { TaskEvent } from "../task/worker_event.ts";
import { Arrivals } from "./arrivals.ts";
import { namesOf, type Prepared, progressFrame, statusFrame, tagsOf } from "./delivery.ts";
import { KnownIds } from "./known_ids.ts";
import { mark, type Marks, NO_MARKS, type Past } from "./past.ts";

/** So many times `maxTasks` tasks are held in all while they are under way. */
export const UNDER_WAY_FACTOR = 4;

/** A task in memory. */
export type TaskRecord = Marks & {
  readonly id: string;
  /** Order of arrival in this process; grows, and is 0 once the task has left. A reopened task arrives anew. */
  order: number;
  state: TaskState;
  pace: Pace | undefined;
  /** How long it has been silent, where somebody listens for that. */
  silence: Silence | undefined;
  /** The present state as frames, once somebody asked for it since it last changed. */
  statusNow: Prepared | undefined;
  progressNow: Prepared | undefined;
};

/** Which tasks are asked for; with a scope, those that are in it alone. */
export type TaskFilter = Pick<TaskQuery, "status" | "tag" | "parent_id" | "type"> & {
  readonly scope?: Scope | undefined;
};

/** Tasks among which all are that fit; `isExact`: and no others. */
export type Candidates = {
  readonly records: Iterable<TaskRecord>;
  readonly size: number;
  readonly isExact: boolean;
};

const NONE: ReadonlySet<TaskRecord> = new Set();
/** So many tasks of several tags are put together for one question. */
const MAX_UNITED = 4_096;

/** Tasks that left memory for others. */
export type Evicted = { readonly ended: readonly TaskNames[]; readonly underWay: readonly TaskNames[] };

/**
 * The tasks in memory, indexed by tag, parent and status. Past `maxTasks` those leave that have ended, the one that ended
 * first first; tasks under way stay, all of them, up to {@link UNDER_WAY_FACTOR} times as many, and past that the one that
 * has been silent longest leaves. They leave at `evict`, so that none leaves amid a batch of events that may name it.
 * `mayBeEvicted` remembers them all.
 */
export class TaskTable {
  readonly #maxTasks: number;
  readonly #tasks = new Map<string, TaskRecord>();
  readonly #active = new Map<string, TaskRecord>();
  readonly #ended = new Map<string, TaskRecord>();
  readonly #byTag = new Map<string, Set<TaskRecord>>();
  readonly #byParent = new Map<string, Set<TaskRecord>>();
  readonly #byStatus = new Map<TaskStatus, Set<TaskRecord>>();
  readonly #evicted = new KnownIds();
  #hasEvicted = false;
  #arrivals = 0;
  readonly #arrived = new Arrivals<TaskRecord>();
  /** Tasks under way by how long they have been silent, the longest last, as it was when they were looked through. */
  #silent: Silent[] = [];

  constructor(maxTasks: number) {
    this.#maxTasks = maxTasks;
  }

  /** How many tasks are in memory. */
  get size(): number {
    return this.#tasks.size;
  }

  /** The order of the task that arrived last. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /** How many tasks in memory have each status. */
  counts(): ReadonlyMap<TaskStatus, number> {
    return new Map([...this.#byStatus].map(([status, records]) => [status, records.size]));
  }

  /** The task, where it is in memory. */
  get(id: string): TaskRecord | undefined {
    return this.#tasks.get(id);
  }

  /** Whether any task has left memory. */
  get hasEvicted(): boolean {
    return this.#hasEvicted;
  }

  /** Whether a task that is not in memory may have been: then only the log knows it. */
  mayBeEvicted(id: string): boolean {
    return this.#evicted.mayHave(id);
  }

  /** Tasks not ended, in order of arrival. A living iterator: later changes are seen, ended ones are not met. */
  active(): IterableIterator<TaskRecord> {
    return this.#active.values();
  }

  /** Whether the task is in memory and has not ended. */
  isActive(id: string): boolean {
    return this.#active.has(id);
  }

  /** Tasks with `tag`, ended ones too. */
  tagged(tag: string): Iterable<TaskRecord> {
    return this.#byTag.get(tag) ?? [];
  }

  /** Puts a task in its new state; `known` is its record, from a caller who has it. */
  put(
    id: string,
    state: TaskState,
    pace: Pace | undefined,
    known: TaskRecord | undefined = this.#tasks.get(id),
  ): TaskRecord {
    if (known !== undefined) {
      const before = known.state;
      known.state = state;
      known.pace = pace;
      known.statusNow = undefined;
      known.progressNow = undefined;
      if (before !== state) this.#reindex(known, before);
      return known;
    }
    const record: TaskRecord = {
      id,
      order: ++this.#arrivals,
      state,
      pace,
      silence: undefined,
      ...NO_MARKS,
      statusNow: undefined,
      progressNow: undefined,
    };
    this.#tasks.set(id, record);
    this.#arrived.add(record, this.#tasks.size);
    this.#indexAbout(record, undefined);
    this.#indexStatus(record);
    return record;
  }

  /** Folds an event in; `known` is its task's record, from a caller who has it. Undefined where it says nothing new. */
  fold(
    event: TaskEvent,
    known: TaskRecord | undefined = this.#tasks.get(event.taskId),
  ): { readonly record: TaskRecord; readonly change: Change } | undefined {
    const state = fold(known?.state, event);
    if (known?.state === state) return undefined;
    const change = changeOf(known?.state, state, event);
    const record = this.put(event.taskId, state, paced(known?.pace, state, event), known);
    mark(record, event, change);
    return { record, change };
  }

  /** Takes a task in that was read from the log. */
  restore(id: string, { state, ...marks }: Past): void {
    Object.assign(this.put(id, state, undefined), marks);
  }

  /** Lets tasks go until there are no more than there is room for. */
  evict(): Evicted {
    const ended: TaskNames[] = [];
    const underWay: TaskNames[] = [];
    for (const record of this.#ended.values()) {
      if (this.#tasks.size <= this.#maxTasks) break;
      this.remove(record);
      ended.push(namesOf(record.state));
    }
    while (this.#active.size > UNDER_WAY_FACTOR * this.#maxTasks) {
      const record = this.#mostSilent();
      this.remove(record);
      underWay.push(namesOf(record.state));
    }
    return { ended, underWay };
  }

  /** The task under way that told something longest ago. */
  #mostSilent(): TaskRecord {
    for (;;) {
      const next = this.#silent.pop();
      if (next === undefined) this.#silent = mostSilentOf(this.#active.values());
      // Whoever has told something since, or ended and came back, is less silent than the rest.
      else if (this.#active.get(next.record.id) === next.record && toldSeq(next.record) === next.toldSeq) {
        return next.record;
      }
    }
  }

  /** Every task in memory. */
  all(): Iterable<TaskRecord> {
    return this.#tasks.values();
  }

  /** Lets a task go. */
  remove(record: TaskRecord): void {
    for (const tag of tagsOf(record.state)) removeFrom(this.#byTag, tag, record);
    const parent = parentOf(record.state);
    if (parent !== undefined) removeFrom(this.#byParent, parent, record);
    removeFrom(this.#byStatus, statusOf(record.state), record);
    this.#tasks.delete(record.id);
    this.#ended.delete(record.id);
    this.#active.delete(record.id);
    this.#arrived.leave(record.order);
    record.order = 0;
    this.#evicted.add(record.id);
    this.#hasEvicted = true;
  }

  /** Every task in memory, the newest first; those that arrive meanwhile are not met. */
  newestFirst(): Generator<TaskRecord, undefined, undefined> {
    return this.#arrived.newestFirst();
  }

  /** What tasks name as those that they are part of, whether there is such a task or not. */
  parents(): readonly string[] {
    return [...this.#byParent.keys()];
  }

  /** The smallest set at hand that holds all that fit. */
  candidates({ status, tag, parent_id: parentId, type, scope }: TaskFilter): Candidates {
    const scoped = scope === undefined ? undefined : this.#taggedAny(scope);
    const sets = [
      ...(status === undefined ? [] : [this.#byStatus.get(status) ?? NONE]),
      ...(tag === undefined ? [] : [this.#byTag.get(tag) ?? NONE]),
      ...(parentId === undefined ? [] : [this.#byParent.get(parentId) ?? NONE]),
      ...(scoped === undefined ? [] : [scoped]),
    ];
    const unindexed = type !== undefined || (scope !== undefined && scoped === undefined);
    const [first, ...others] = sets;
    if (first === undefined) {
      return { records: this.#tasks.values(), size: this.#tasks.size, isExact: !unindexed };
    }
    const records = others.reduce((least, set) => set.size < least.size ? set : least, first);
    return { records, size: records.size, isExact: sets.length === 1 && !unindexed };
  }

  /** The tasks of a scope that names nothing but a few tags; undefined where it names more, or the tags have many tasks. */
  #taggedAny(scope: Scope): ReadonlySet<TaskRecord> | undefined {
    const [tag, ...others] = scope.onlyTags ?? [];
    if (tag === undefined) return undefined;
    const first = this.#byTag.get(tag) ?? NONE;
    if (others.length === 0) return first;
    const sets = [first, ...others.map((name) => this.#byTag.get(name) ?? NONE)];
    if (sets.reduce((size, set) => size + set.size, 0) > MAX_UNITED) return undefined;
    return new Set(sets.flatMap((set) => [...set]));
  }

  /** Touches only the indices that the change concerns: most events concern none. */
  #reindex(record: TaskRecord, before: TaskState): void {
    if (before.greatest.created !== record.state.greatest.created) this.#indexAbout(record, before);
    const status = statusOf(before);
    if (status !== statusOf(record.state)) {
      removeFrom(this.#byStatus, status, record);
      this.#indexStatus(record);
    }
  }

  #indexStatus(record: TaskRecord): void {
    const status = statusOf(record.state);
    addTo(this.#byStatus, status, record);
    if (isTerminal(status)) {
      this.#active.delete(record.id);
      this.#ended.set(record.id, record);
    } else if (!this.#active.has(record.id)) {
      if (this.#ended.delete(record.id)) {
        this.#arrived.leave(record.order);
        record.order = ++this.#arrivals;
        this.#arrived.add(record, this.#tasks.size);
      }
      this.#active.set(record.id, record);
    }
  }

  /** What stays the same stays where it is: whoever walks an index must not meet a record twice. */
  #indexAbout(record: TaskRecord, before: TaskState | undefined): void {
    const tags = tagsOf(record.state);
    const formerTags = before === undefined ? [] : tagsOf(before);
    for (const tag of formerTags) if (!tags.includes(tag)) removeFrom(this.#byTag, tag, record);
    for (const tag of tags) if (!formerTags.includes(tag)) addTo(this.#byTag, tag, record);
    const parent = parentOf(record.state);
    const formerParent = before && parentOf(before);
    if (parent === formerParent) return;
    if (formerParent !== undefined) removeFrom(this.#byParent, formerParent, record);
    if (parent !== undefined) addTo(this.#byParent, parent, record);
  }
}

/** The present status of a task as a frame, encoded at most once until it changes. */
export function statusNow(record: TaskRecord): Prepared {
  return record.statusNow ??= {
    frame: {
      ...statusFrame(record.state, record.pace, record.statusSeq, record.statusTimeMs),
      snapshot: true,
    },
  };
}

/** The present counters of a task as a frame, encoded at most once until they change. */
export function progressNow(record: TaskRecord): Prepared {
  return record.progressNow ??= {
    frame: {
      ...progressFrame(record.state, record.pace, record.progressSeq, record.progressTimeMs, true),
      snapshot: true,
    },
  };
}

/** A task and the position at which it last had something to tell when that was looked at. */
type Silent = { readonly record: TaskRecord; readonly toldSeq: number };

/** Looking through all of them is for some of them at once. */
const SILENT_SHARE = 1 / 16;

/** Some of `records`, at least one: those that have been silent longest, the longest last. */
function mostSilentOf(records: Iterable<TaskRecord>): Silent[] {
  const all = Array.from(records, (record) => ({ record, toldSeq: toldSeq(record) }));
  all.sort((one, other) => one.toldSeq - other.toldSeq);
  return all.slice(0, Math.ceil(all.length * SILENT_SHARE)).reverse();
}

function toldSeq({ statusSeq, progressSeq }: TaskRecord): number {
  return Math.max(statusSeq, progressSeq);
}

/** Whether a task in this state fits all that `query` asks for. */
export function fits(state: TaskState, query: TaskFilter): boolean {
  const about = state.greatest.created?.body;
  return (query.status === undefined || statusOf(state) === query.status) &&
    (query.tag === undefined || tagsOf(state).includes(query.tag)) &&
    (query.parent_id === undefined || about?.parent_id === query.parent_id) &&
    (query.type === undefined || about?.type === query.type) &&
    (query.scope === undefined || query.scope.sees(namesOf(state)));
}

function parentOf(state: TaskState): string | undefined {
  return state.greatest.created?.body.parent_id ?? undefined;
}

function addTo<K>(index: Map<K, Set<TaskRecord>>, key: K, record: TaskRecord): void {
  const set = index.get(key);
  if (set === undefined) index.set(key, new Set([record]));
  else set.add(record);
}

function removeFrom<K>(index: Map<K, Set<TaskRecord>>, key: K, record: TaskRecord): void {
  const set = index.get(key);
  if (set?.delete(record) && set.size === 0) index.delete(key);
}
