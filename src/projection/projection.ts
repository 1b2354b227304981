import type { Entry, EventLog } from "../log/event_log.ts";
import { changeOf, fold, type TaskState } from "../task/fold.ts";
import { paced } from "../task/task.ts";
import { parseRecord, type TaskEvent } from "../task/worker_event.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import { RejectedRecords } from "./rejected.ts";
import { Tail, type TailBounds } from "./tail.ts";
import { type TaskRecord, TaskTable } from "./task_table.ts";

/** Bounds of a projection's memory. */
export type ProjectionBounds = { readonly maxTasks: number; readonly tail: TailBounds };

/** What the projection counted since the start, for `/metrics`. */
export type ProjectionCounts = { events: Record<string, number>; late: number; evicted: number };

/** What one batch of the log came to. */
export type Applied = {
  readonly deliveries: readonly Delivery[];
  /** Tasks that left memory: `task:list` says they are removed. */
  readonly removed: readonly string[];
};

/**
 * The tasks, as the fold of the log up to `head`. It is the one writer of its state: `apply` is called with every
 * batch in order, and what it returns is what watchers are to be told.
 */
export class Projection {
  readonly #log: EventLog;
  readonly #bounds: ProjectionBounds;
  readonly rejected: RejectedRecords = new RejectedRecords();
  readonly counts: ProjectionCounts = { events: {}, late: 0, evicted: 0 };
  #table: TaskTable;
  #tail: Tail;
  #epoch = "";
  #head = 0;

  constructor(log: EventLog, bounds: ProjectionBounds) {
    this.#log = log;
    this.#bounds = bounds;
    this.#table = new TaskTable(bounds.maxTasks);
    this.#tail = new Tail(bounds.tail, 0);
  }

  /** The life of the stream that positions belong to. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Everything up to this position is folded in. */
  get head(): number {
    return this.#head;
  }

  /** The tasks in memory. */
  get tasks(): TaskTable {
    return this.#table;
  }

  /** The recent deliveries. */
  get tail(): Tail {
    return this.#tail;
  }

  /**
   * Builds the state anew from the last event of each subject, in time that grows with tasks and not with events.
   * Nothing of the former state is left. Afterwards follow the log from `head`.
   */
  async boot(): Promise<void> {
    const extent = await this.#log.extent();
    const table = new TaskTable(this.#bounds.maxTasks);
    for await (const entries of this.#log.lastPerSubject()) {
      for (const entry of entries) {
        if (entry.seq > extent.lastSeq) continue; // following will bring it, and then it is news
        const parsed = parseRecord(entry);
        if ("rejected" in parsed) this.rejected.add(entry, parsed.rejected);
        else this.#fold(table, parsed.event);
      }
    }
    this.#table = table;
    this.#epoch = extent.epoch;
    this.#head = extent.lastSeq;
    this.#tail = new Tail(this.#bounds.tail, extent.lastSeq);
  }

  /** Folds the next batch of the log in and says what there is to tell. What was folded in already is passed over. */
  async apply(batch: readonly Entry[]): Promise<Applied> {
    const entries = batch.filter((entry) => entry.seq > this.#head);
    const events = entries.map((entry) => this.#parse(entry));
    const strangers = this.#evictedAmong(events);
    if (strangers.size > 0) await this.#recall(strangers);
    return this.#applyAll(entries, events);
  }

  /** A task's state just before position `before`, from the log alone; undefined where it had none. */
  async stateFromLog(taskId: string, before = Infinity): Promise<TaskState | undefined> {
    let state: TaskState | undefined;
    if (before === Infinity) {
      for await (const entries of this.#log.lastPerSubject(`task.${taskId}.>`)) {
        state = foldAll(state, entries);
      }
      return state;
    }
    for (let after = 0;;) {
      const query = { after, upTo: before - 1, subject: `task.${taskId}.>`, limit: 1_000 };
      const page = await this.#log.read(query);
      state = foldAll(state, page.entries);
      if (page.through >= before - 1 || page.through <= after) return state;
      after = page.through;
    }
  }

  #parse(entry: Entry): TaskEvent | undefined {
    const parsed = parseRecord(entry);
    if ("event" in parsed) {
      const { kind } = parsed.event;
      this.counts.events[kind] = (this.counts.events[kind] ?? 0) + 1;
      return parsed.event;
    }
    this.rejected.add(entry, parsed.rejected);
    return undefined;
  }

  #applyAll(entries: readonly Entry[], events: readonly (TaskEvent | undefined)[]): Applied {
    const deliveries: Delivery[] = [];
    const removed: string[] = [];
    for (const event of events) {
      if (event === undefined) continue;
      const delivery = this.#fold(this.#table, event, removed);
      if (delivery === undefined) {
        this.counts.late++;
      } else {
        deliveries.push(delivery);
        this.#tail.push(delivery);
      }
    }
    this.#head = entries.at(-1)?.seq ?? this.#head;
    this.counts.evicted += removed.length;
    return { deliveries, removed };
  }

  #fold(table: TaskTable, event: TaskEvent, removed: string[] = []): Delivery | undefined {
    const known = table.get(event.taskId);
    const state = fold(known?.state, event);
    const change = changeOf(known?.state, state, event);
    if (known?.state === state) return undefined;
    const pace = paced(known?.pace, state, event);
    const { record, evicted } = table.put(event.taskId, state, pace);
    removed.push(...evicted);
    mark(record, event, change);
    return deliveryOf(event, state, change, pace);
  }

  /** Ids of tasks that are not in memory but may once have been. */
  #evictedAmong(events: readonly (TaskEvent | undefined)[]): Map<string, number> {
    const strangers = new Map<string, number>();
    for (const event of events) {
      if (event === undefined || strangers.has(event.taskId)) continue;
      if (this.#table.get(event.taskId) === undefined && this.#table.mayBeEvicted(event.taskId)) {
        strangers.set(event.taskId, event.seq);
      }
    }
    return strangers;
  }

  /** Brings evicted tasks back as they were before their next event, so that a straggler finds the ended task ended. */
  async #recall(strangers: ReadonlyMap<string, number>): Promise<void> {
    for (const [id, seq] of strangers) {
      const state = await this.stateFromLog(id, seq);
      if (state !== undefined) this.#table.put(id, state, undefined);
    }
  }
}

/** `state` after the events among `entries`. */
function foldAll(state: TaskState | undefined, entries: readonly Entry[]): TaskState | undefined {
  let folded = state;
  for (const entry of entries) {
    const parsed = parseRecord(entry);
    if ("event" in parsed) folded = fold(folded, parsed.event);
  }
  return folded;
}

/** Notes where a task last had something to tell. */
function mark(record: TaskRecord, event: TaskEvent, change: { progress: boolean; status: boolean }): void {
  if (change.progress) {
    record.progressSeq = event.seq;
    record.progressTimeMs = event.time;
  }
  if (change.status) {
    record.statusSeq = event.seq;
    record.statusTimeMs = event.time;
  }
}
