import type { Entry, EventLog, Page, PageQuery } from "../log/event_log.ts";
import { isTaskId } from "../protocol/names.ts";
import { type Change, changeOf, fold, type TaskState } from "../task/fold.ts";
import { paced } from "../task/task.ts";
import { isKind, namesIn, parseRecord, type TaskEvent } from "../task/worker_event.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import { RejectedRecords } from "./rejected.ts";
import { Tail, type TailBounds } from "./tail.ts";
import { type Marks, NO_MARKS, type TaskRecord, TaskTable } from "./task_table.ts";
import { Whereabouts, type WhereaboutsBounds } from "./whereabouts.ts";

/** Bounds of a projection's memory. */
export type ProjectionBounds = {
  readonly maxTasks: number;
  readonly tail: TailBounds;
  /** Default: nothing is remembered of where events lie. */
  readonly whereabouts?: WhereaboutsBounds;
};

const NOWHERE: WhereaboutsBounds = { perSubject: 0, maxPositions: 0 };

/** What the projection counted since the start, for `/metrics`. */
export type ProjectionCounts = { events: Record<string, number>; late: number; evicted: number };

/** What one batch of the log came to. */
export type Applied = {
  readonly deliveries: readonly Delivery[];
  /** Tasks that left memory: `task:list` says they are removed. */
  readonly removed: readonly string[];
};

/** A task that was read from the log. */
export type Past = Marks & { readonly state: TaskState };

/**
 * The tasks, as the fold of the log up to `head`. It is the one writer of its state: `apply` is called with every
 * batch in order, and what it returns is what watchers are to be told.
 */
export class Projection {
  readonly #log: EventLog;
  readonly #bounds: ProjectionBounds;
  readonly counts: ProjectionCounts = { events: {}, late: 0, evicted: 0 };
  #rejected = new RejectedRecords();
  #table: TaskTable;
  #tail: Tail;
  #whereabouts: Whereabouts;
  #epoch = "";
  #head = 0;

  constructor(log: EventLog, bounds: ProjectionBounds) {
    this.#log = log;
    this.#bounds = bounds;
    this.#table = new TaskTable(bounds.maxTasks);
    this.#tail = new Tail(bounds.tail, 0);
    this.#whereabouts = new Whereabouts(bounds.whereabouts ?? NOWHERE);
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

  /** Where the tasks' events lie. */
  get whereabouts(): Whereabouts {
    return this.#whereabouts;
  }

  /** The records that could not be understood, since the state was last built. */
  get rejected(): RejectedRecords {
    return this.#rejected;
  }

  /**
   * Builds the state anew from the last event of each subject, in time that grows with tasks and not with events.
   * Nothing of the former state is left; where it fails, all of it. Afterwards follow the log from `head`.
   */
  async boot(): Promise<void> {
    // Positions of another life of the stream are those of other records.
    this.#whereabouts = new Whereabouts(this.#bounds.whereabouts ?? NOWHERE);
    const extent = await this.#log.extent();
    const table = new TaskTable(this.#bounds.maxTasks);
    const rejected = new RejectedRecords(this.#rejected.total);
    const hidden = new Set<string>();
    const metUpTo = extent.epoch === this.#epoch ? this.#head : 0;
    for await (const batch of this.#log.lastPerSubject()) {
      const read = batch.map(readEntry);
      // What is newer, following will bring; and then it is news.
      const past = read.filter(({ entry }) => entry.seq <= extent.lastSeq);
      await this.#recall(table, eventsOf(past));
      for (const one of past) {
        if ("event" in one) foldInto(table, table.get(one.event.taskId), one.event);
        else rejected.add(one.entry, one.rejected, one.entry.seq > metUpTo);
      }
      for (const one of read) {
        if (one.entry.seq > extent.lastSeq || "rejected" in one) hidden.add(taskOf(one.entry.subject));
      }
      table.evict();
    }
    await this.#restore(table, hidden, extent.lastSeq);
    this.#table = table;
    this.#rejected = rejected;
    this.#epoch = extent.epoch;
    this.#head = extent.lastSeq;
    this.#tail = new Tail(this.#bounds.tail, extent.lastSeq);
  }

  /**
   * Walks once over what was in the log at the boot and notes where each task's events lie. It takes as long as reading the
   * log does, beside everything else; until it is over, and where it fails, the log looks for a task's events by itself.
   */
  async learnWhereabouts(signal: AbortSignal): Promise<void> {
    const whereabouts = this.#whereabouts;
    const upTo = this.#head;
    const { epoch, firstSeq } = await this.#log.extent();
    if (firstSeq > upTo) return whereabouts.complete();
    for await (const followed of this.#log.follow({ epoch, after: firstSeq - 1 }, signal)) {
      if (followed.kind === "epoch" || whereabouts !== this.#whereabouts) return; // it is another log by now
      if (followed.kind !== "entries") continue;
      for (const { subject, seq } of followed.entries) {
        const names = seq <= upTo ? namesIn(subject) : undefined;
        if (names !== undefined && isKind(names.kind)) whereabouts.note(names.taskId, names.kind, seq, false);
      }
      if ((followed.entries.at(-1)?.seq ?? 0) >= upTo) return whereabouts.complete();
    }
  }

  /** Folds the next batch of the log in and says what there is to tell. What was folded in already is passed over. */
  async apply(batch: readonly Entry[]): Promise<Applied> {
    const read = batch.filter(({ seq }) => seq > this.#head).map(readEntry);
    if (this.#table.hasEvicted) await this.#recall(this.#table, eventsOf(read));
    return this.#applyAll(read);
  }

  /**
   * A task from the log alone, by the last event of each kind; undefined where the log has none of it. Where the last
   * record of a kind is no event, and so hides the one before it, the whole history is read.
   */
  async stateFromLog(taskId: string): Promise<Past | undefined> {
    let past: Past | undefined;
    let hides = false;
    let newest = 0;
    for await (const entries of this.#log.lastPerSubject(`task.${taskId}.>`)) {
      past = foldAll(past, entries);
      hides ||= entries.some((entry) => "rejected" in parseRecord(entry));
      newest = entries.at(-1)?.seq ?? newest;
    }
    return hides ? await this.stateAt(taskId, newest) : past;
  }

  /** A page of one task's records; rejects as `EventLog.read` does. */
  async readTask(
    taskId: string,
    page: Pick<PageQuery, "after" | "upTo" | "limit" | "maxBytes">,
  ): Promise<Page> {
    const positions = this.#whereabouts.of(taskId, page.after);
    const query = { ...page, subject: `task.${taskId}.>` };
    return await this.#log.read(positions === undefined ? query : { ...query, positions });
  }

  /** A task as it was at position `at`, from the log alone; undefined where it had no event yet. */
  async stateAt(taskId: string, at: number): Promise<Past | undefined> {
    let past: Past | undefined;
    for (let after = 0; after < at;) {
      const page = await this.readTask(taskId, { after, upTo: at, limit: 1_000 });
      past = foldAll(past, page.entries);
      if (past !== undefined && past.bornSeq === 0) past = { ...past, bornSeq: page.entries[0]?.seq ?? 0 };
      if (page.through <= after) break;
      after = page.through;
    }
    return past;
  }

  /**
   * Lets go of the tasks of which the log has nothing any more, its first retained position being `firstSeq`; returns
   * their ids.
   */
  expire(firstSeq: number): readonly string[] {
    const gone = [...this.#table.all()].filter(({ state }) => newestOf(state) < firstSeq);
    for (const record of gone) this.#table.remove(record);
    this.counts.evicted += gone.length;
    return gone.map(({ id }) => id);
  }

  #applyAll(read: readonly ReadEntry[]): Applied {
    const deliveries: Delivery[] = [];
    for (const one of read) {
      if ("rejected" in one) {
        this.#rejected.add(one.entry, one.rejected);
        continue;
      }
      const { event } = one;
      this.counts.events[event.kind] = (this.counts.events[event.kind] ?? 0) + 1;
      const known = this.#table.get(event.taskId);
      this.#whereabouts.note(event.taskId, event.kind, event.seq, known !== undefined);
      const folded = foldInto(this.#table, known, event);
      if (known === undefined && folded !== undefined) folded.record.bornSeq = event.seq;
      const delivery = folded && deliveryOf(event, folded.record.state, folded.change, folded.record.pace);
      if (delivery === undefined) {
        this.counts.late++;
      } else {
        deliveries.push(delivery);
        this.#tail.push(delivery);
      }
    }
    this.#head = read.at(-1)?.entry.seq ?? this.#head;
    const removed = this.#table.evict();
    this.counts.evicted += removed.length;
    return { deliveries, removed };
  }

  /**
   * Reads the tasks whole of which the last record of some kind was no event, or newer than `head`: it hides the one
   * before it, which counts.
   */
  async #restore(table: TaskTable, hidden: ReadonlySet<string>, head: number): Promise<void> {
    for (const id of hidden) {
      const past = isTaskId(id) ? await this.stateAt(id, head) : undefined;
      if (past === undefined) continue;
      const { state, ...marks } = past;
      Object.assign(table.put(id, state, undefined), marks);
    }
    table.evict();
  }

  /**
   * Brings those of the events' tasks back that were evicted, as they were before, so that a straggler finds the
   * ended task ended.
   */
  async #recall(table: TaskTable, events: readonly TaskEvent[]): Promise<void> {
    const strangers = new Map<string, number>();
    for (const { taskId, seq } of events) {
      if (strangers.has(taskId) || table.get(taskId) !== undefined || !table.mayBeEvicted(taskId)) continue;
      strangers.set(taskId, seq);
    }
    for (const [id, seq] of strangers) {
      const past = await this.stateAt(id, seq - 1);
      if (past === undefined) continue;
      const { state, ...marks } = past;
      Object.assign(table.put(id, state, undefined), marks);
    }
  }
}

/** The second token of a subject: the task, where it is an event's. */
function taskOf(subject: string): string {
  return subject.split(".")[1] ?? "";
}

/** A record as it was understood, or why it was not. */
type ReadEntry = { readonly entry: Entry } & ReturnType<typeof parseRecord>;

function readEntry(entry: Entry): ReadEntry {
  return { entry, ...parseRecord(entry) };
}

function eventsOf(read: readonly ReadEntry[]): TaskEvent[] {
  return read.flatMap((one) => "event" in one ? [one.event] : []);
}

/** Folds an event into the table, which has its task as `known`; undefined where it says nothing new. */
function foldInto(
  table: TaskTable,
  known: TaskRecord | undefined,
  event: TaskEvent,
): { readonly record: TaskRecord; readonly change: Change } | undefined {
  const state = fold(known?.state, event);
  if (known?.state === state) return undefined;
  const change = changeOf(known?.state, state, event);
  const record = table.put(event.taskId, state, paced(known?.pace, state, event), known);
  mark(record, event, change);
  return { record, change };
}

/** `past` after the events among `entries`. */
function foldAll(past: Past | undefined, entries: readonly Entry[]): Past | undefined {
  let folded = past;
  for (const entry of entries) {
    const parsed = parseRecord(entry);
    if ("rejected" in parsed) continue;
    const { event } = parsed;
    const before = folded?.state;
    const state = fold(before, event);
    const next = { ...(folded ?? NO_MARKS), state };
    mark(next, event, changeOf(before, state, event));
    folded = next;
  }
  return folded;
}

/** The position of the newest event that a state is made of. */
function newestOf(state: TaskState): number {
  return Math.max(...Object.values(state.greatest).map(({ seq }) => seq));
}

/** Notes where a task last had something to tell. */
function mark(marks: Marks, event: TaskEvent, change: Change): void {
  if (change.progress) {
    marks.progressSeq = event.seq;
    marks.progressTimeMs = event.time;
  }
  if (change.status) {
    marks.statusSeq = event.seq;
    marks.statusTimeMs = event.time;
  }
}
