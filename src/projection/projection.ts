import type { TaskNames } from "../access/scope.ts";
import { CHANNELS, TASKS } from "../channel/built_in.ts";
import { channelOf } from "../channel/channel_subject.ts";
import { Namespaces, type When } from "../channel/namespaces.ts";
import type { ChannelUpdate, ParsedUpdate } from "../channel/channel_update.ts";
import type { Entry, EventLog, Page, PageQuery } from "../log/event_log.ts";
import { isTaskId } from "../protocol/names.ts";
import { taskOf } from "../protocol/topics.ts";
import type { TaskState } from "../task/fold.ts";
import { isKind, namesIn, type Parsed, parseRecord, type TaskEvent } from "../task/worker_event.ts";
import { boot } from "./boot.ts";
import { Channels } from "./channels.ts";
import { type Delivery, deliveryOf, namesOf } from "./delivery.ts";
import type { Past } from "./past.ts";
import { readLasts } from "./past_values.ts";
import { PastTasks } from "./past_tasks.ts";
import { RejectedRecords } from "./rejected.ts";
import { Tail, type TailBounds } from "./tail.ts";
import { type TaskRecord, TaskTable } from "./task_table.ts";
import { Whereabouts, type WhereaboutsBounds } from "./whereabouts.ts";
import { Whose } from "./whose.ts";

/** Bounds of a projection's memory. */
export type ProjectionBounds = {
  readonly maxTasks: number;
  /** What the last values of channels may weigh, in bytes. Default: 64 MiB. */
  readonly channelBytes?: number;
  /** Which namespaces there are. Default: those of every gateway. */
  readonly namespaces?: Namespaces;
  readonly tail: TailBounds;
  /** Default: nothing is remembered of where events lie. */
  readonly whereabouts?: WhereaboutsBounds;
  /** Has the last values of a namespace read until that worked. Default: once. */
  readonly insist?: Insist;
};

/** Does `read` for a namespace; where it rejects it may be done again, and does nothing once nobody needs it. */
export type Insist = (read: () => Promise<void>, namespace: string) => Promise<void>;

const CHANNEL_BYTES = 67_108_864;
/** So many tasks are searched for at once rather than waiting until it is known where their events lie. */
export const FEW = 8;
const NOWHERE: WhereaboutsBounds = { perSubject: 0, maxBytes: 0 };

/** What the projection counted since the start, for `/metrics`. */
export type ProjectionCounts = {
  events: Record<string, number>;
  /** Values of channels. */
  updates: number;
  late: number;
  evicted: number;
  evictedUnderWay: number;
};

/** What one batch of the log came to. */
export type Applied = {
  readonly deliveries: readonly Delivery[];
  /** Tasks that left memory: `task:list` says they are removed. */
  readonly removed: readonly TaskNames[];
};

/**
 * The tasks, as the fold of the log up to `head`. It is the one writer of its state: `apply` is called with every
 * batch in order, and what it returns is what watchers are to be told.
 */
export class Projection {
  readonly #log: EventLog;
  readonly #bounds: ProjectionBounds;
  readonly #pasts: PastTasks;
  readonly counts: ProjectionCounts = { events: {}, updates: 0, late: 0, evicted: 0, evictedUnderWay: 0 };
  #rejected = new RejectedRecords();
  #table: TaskTable;
  #channels: Channels;
  /** The namespaces of channels. */
  readonly namespaces: Namespaces;
  #tail: Tail;
  #whereabouts: Whereabouts;
  #walked: Promise<void> = Promise.resolve();
  #epoch = "";
  #head = 0;
  /** How many namespaces came so far. */
  #came = 0;
  /** Namespaces that came since a boot began, which it may have passed over. */
  #cameSince: Set<string> | undefined;
  /** The head at the last boot: what came later was noted as it came. */
  #bootedAt = 0;

  constructor(log: EventLog, bounds: ProjectionBounds) {
    this.#log = log;
    this.#bounds = bounds;
    this.#table = new TaskTable(bounds.maxTasks);
    this.namespaces = bounds.namespaces ?? new Namespaces([TASKS, ...CHANNELS]);
    this.#channels = new Channels(bounds.channelBytes ?? CHANNEL_BYTES, this.namespaces);
    this.#tail = new Tail(bounds.tail, 0);
    this.#whereabouts = new Whereabouts(bounds.whereabouts ?? NOWHERE);
    this.#pasts = new PastTasks(log, () => this.#whereabouts);
  }

  /** The life of the stream that positions belong to. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Everything up to this position is folded in. */
  get head(): number {
    return this.#head;
  }

  /** The head at the last boot: what came later was followed. */
  get bootedAt(): number {
    return this.#bootedAt;
  }

  /** The tasks in memory. */
  get tasks(): TaskTable {
    return this.#table;
  }

  /** The last values of channels. */
  get channels(): Channels {
    return this.#channels;
  }

  /**
   * A namespace of channels is there from now on: what came of it until now was read by nobody. Its last values are read; until
   * they are, and while that fails, the log is asked for each channel. Rejects as {@link ProjectionBounds.insist} does.
   */
  async came(name: string): Promise<void> {
    this.#came++;
    this.#cameSince?.add(name);
    if (this.#epoch === "") return; // the first boot reads it
    const channels = this.#channels;
    const reading = channels.ask(name);
    this.#tail = new Tail(this.#bounds.tail, this.#head);
    const { insist = (read) => read() } = this.#bounds;
    await insist(async () => {
      const namespace = this.namespaces.described.find((one) => one.name === name);
      // It left, or came anew, or all was built anew: that is read by others, or by nobody.
      if (namespace === undefined || channels !== this.#channels || !reading.isWanted()) return;
      await readLasts(this.#log, namespace, {
        namespaces: this.namespaces,
        head: () => this.#head,
        channels,
      });
      reading.done();
    }, name);
  }

  /**
   * Whose tasks were, each from the position on that is given with it: by memory where it tells that, else by the log, so that it
   * is the same on every gateway.
   */
  async whose(froms: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, Whose>> {
    const told = new Map<string, Whose>();
    const asked: string[] = [];
    for (const [taskId, from] of froms) {
      const known = this.#whoseByMemory(taskId, from);
      if (known === undefined) asked.push(taskId);
      else told.set(taskId, known);
    }
    const head = this.#head;
    if (asked.length > FEW) await this.#walked;
    for (const [taskId, whose] of await this.#pasts.whose(asked, head)) told.set(taskId, whose);
    return told;
  }

  #whoseByMemory(taskId: string, from: number): Whose | undefined {
    const record = this.#table.get(taskId);
    if (record === undefined) return this.#table.mayBeEvicted(taskId) ? undefined : new Whose(taskId);
    const { created } = record.state.greatest;
    if (created === undefined) return new Whose(taskId);
    const isOnly = created.seq <= from || created.seq === record.bornSeq;
    return isOnly ? new Whose(taskId).add(created) : undefined;
  }

  /**
   * Finds out whose the tasks were that the values of these channels are about, where those were not followed but found at the
   * boot; undefined where nothing is to be found out. Rejects as the log does.
   */
  settle(topics: Iterable<string>): Promise<void> | undefined {
    const channels = this.#channels;
    const unsettled: string[] = [];
    const froms = new Map<string, number>();
    for (const topic of topics) {
      const from = this.settleByMemory(topic);
      if (from === undefined) continue;
      unsettled.push(topic);
      const taskId = taskOf(topic) ?? "";
      froms.set(taskId, Math.min(from, froms.get(taskId) ?? Infinity));
    }
    if (unsettled.length === 0) return undefined;
    return this.whose(froms).then((told) => {
      for (const topic of unsettled) {
        const whose = told.get(taskOf(topic) ?? "");
        if (whose !== undefined) channels.settle(topic, whose);
      }
    });
  }

  /** The same as far as memory tells it; the position from which on the log has to be asked, undefined where it has not. */
  settleByMemory(topic: string): number | undefined {
    const taskId = taskOf(topic);
    const from = taskId === undefined ? undefined : this.#channels.unsettledFrom(topic);
    if (taskId === undefined || from === undefined) return undefined;
    const known = this.#whoseByMemory(taskId, from);
    if (known === undefined) return from;
    this.#channels.settle(topic, known);
    return undefined;
  }

  /** The last value of each key of a channel, from the log; those that changed longest ago first. */
  async lastsFromLog(topic: string): Promise<readonly ChannelUpdate[]> {
    return await this.#pasts.lastsOf(topic, { namespaces: this.namespaces, head: this.#head });
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
   * `built` is called in the very turn in which the state becomes another one, so that whoever goes by positions can change
   * with it; `isWhole` says that no task can have left any gateway's memory up to now.
   */
  async boot(built: (about: { readonly isWhole: boolean }) => void = () => {}): Promise<void> {
    const cameSince = new Set<string>();
    this.#cameSince = cameSince;
    // Positions of another life of the stream are those of other records.
    this.#whereabouts.giveUp();
    this.#whereabouts = new Whereabouts(this.#bounds.whereabouts ?? NOWHERE);
    const booted = await boot(this.#log, this.#pasts, {
      maxTasks: this.#bounds.maxTasks,
      channels: new Channels(this.#bounds.channelBytes ?? CHANNEL_BYTES, this.namespaces),
      namespaces: this.namespaces,
      rejected: this.#rejected.total,
      met: { epoch: this.#epoch, upTo: this.#head },
    });
    this.#table = booted.table;
    this.#channels = booted.channels;
    this.#rejected = booted.rejected;
    this.counts.evictedUnderWay += booted.evictedUnderWay;
    this.#epoch = booted.extent.epoch;
    this.#head = booted.extent.lastSeq;
    this.#bootedAt = this.#head;
    this.#tail = new Tail(this.#bounds.tail, this.#head);
    this.#cameSince = undefined;
    for (const name of cameSince) void this.came(name).catch(() => {}); // the log is asked
    built({ isWhole: !this.#table.hasEvicted && booted.extent.firstSeq <= 1 });
  }

  /**
   * Walks once over what was in the log at the boot and notes where each task's events lie. It takes as long as reading the
   * log does, beside everything else; until it is over, and where it fails, the log looks for a task's events by itself.
   */
  learnWhereabouts(signal: AbortSignal): Promise<void> {
    const learning = this.#learn(signal);
    this.#walked = learning.catch(() => {}); // for those who wait; who began it hears of a failure
    return learning;
  }

  /** Resolves when no such walk is under way: until then it costs a search to know how a task was. */
  get walked(): Promise<void> {
    return this.#walked;
  }

  async #learn(signal: AbortSignal): Promise<void> {
    const whereabouts = this.#whereabouts;
    if (whereabouts.isSettled) return;
    try {
      if (await this.#walk(whereabouts, signal)) whereabouts.complete();
    } finally {
      if (!whereabouts.isSettled) whereabouts.giveUp();
    }
  }

  /** Whether the walk came to its end. */
  async #walk(whereabouts: Whereabouts, signal: AbortSignal): Promise<boolean> {
    const upTo = this.#bootedAt;
    const { epoch, firstSeq } = await this.#log.extent();
    if (firstSeq > upTo) return true;
    for await (const followed of this.#log.follow({ epoch, after: firstSeq - 1 }, signal)) {
      if (followed.kind === "epoch" || whereabouts.isSettled) return false; // another log by now, or one too large
      if (followed.kind === "missed" && followed.to >= upTo) return true;
      if (followed.kind !== "entries") continue;
      for (const entry of followed.entries) if (entry.seq <= upTo) noteRecord(whereabouts, entry);
      if ((followed.entries.at(-1)?.seq ?? 0) >= upTo) return true;
    }
    return false;
  }

  /** Folds the next batch of the log in and says what there is to tell. What was folded in already is passed over. */
  async apply(batch: readonly Entry[]): Promise<Applied> {
    const fresh = batch.filter(({ seq }) => seq > this.#head);
    const read = fresh.map((entry) => readEntry(entry, this.namespaces, { isNew: true }));
    const came = this.#came;
    if (!this.#table.hasEvicted) return this.#applyAll(read);
    await this.#recall(eventsOf(read));
    const strangers = await this.#whoseOfStrangers(fresh);
    return this.#applyAll(
      came === this.#came ? read : fresh.map((entry) => readEntry(entry, this.namespaces, { isNew: false })),
      strangers,
    );
  }

  /** A task from the log alone, by the last event of each kind; undefined where the log has none of it. */
  async stateFromLog(taskId: string): Promise<Past | undefined> {
    return await this.#pasts.now(taskId);
  }

  /** A page of those of a task's records that say what it is; undefined where there is none after `after`. */
  createdPage(
    taskId: string,
    page: Pick<PageQuery, "after" | "upTo" | "limit" | "maxBytes">,
  ): Promise<Page> | undefined {
    return this.#whoseByMemory(taskId, page.after) === undefined
      ? this.#pasts.createdPage(taskId, page)
      : undefined;
  }

  /** A page of one task's records; rejects as `EventLog.read` does. */
  async readTask(
    taskId: string,
    page: Pick<PageQuery, "after" | "upTo" | "limit" | "maxBytes">,
  ): Promise<Page> {
    return await this.#pasts.page(taskId, page);
  }

  /** A task as it was at position `at`, from the log alone; undefined where it had no event yet. */
  async stateAt(taskId: string, at: number): Promise<Past | undefined> {
    return (await this.#pasts.at(new Map([[taskId, at]]))).get(taskId);
  }

  /** Several tasks, each as it was at the position given with it; those without are left out. */
  async statesAt(ats: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, Past>> {
    return await this.#pasts.at(ats);
  }

  /**
   * Lets go of the tasks of which the log has nothing any more, its first retained position being `firstSeq`; returns
   * what they were known by.
   */
  expire(firstSeq: number): readonly TaskNames[] {
    const gone = [...this.#table.all()].filter(({ state }) => newestOf(state) < firstSeq);
    for (const record of gone) this.#table.remove(record);
    this.counts.evicted += gone.length;
    this.#whereabouts.expire(firstSeq);
    this.#channels.expire(firstSeq);
    return gone.map(({ state }) => namesOf(state));
  }

  #applyAll(read: readonly ReadEntry[], strangers?: ReadonlyMap<string, Whose>): Applied {
    const deliveries: Delivery[] = [];
    for (const one of read) {
      if ("rejected" in one) {
        this.#rejected.add(one.entry, one.rejected);
        continue;
      }
      if ("update" in one) {
        this.counts.updates++;
        const { topic, seq } = one.update;
        const taskId = taskOf(topic);
        const about = taskId === undefined
          ? undefined
          : namesNow(this.#table.get(taskId)) ?? strangers?.get(taskId)?.at(seq) ?? { taskId, tags: [] };
        const delivery = this.#channels.put(one.update, about);
        deliveries.push(delivery);
        if (this.namespaces.conflationOf(topic) !== "none") this.#tail.push(delivery);
        continue;
      }
      const { event } = one;
      this.counts.events[event.kind] = (this.counts.events[event.kind] ?? 0) + 1;
      const known = this.#table.get(event.taskId);
      this.#whereabouts.note(event.taskId, event.kind, event.seq, event.attempt, known !== undefined);
      const before = known?.state;
      const folded = this.#table.fold(event, known);
      if (known === undefined && folded !== undefined) folded.record.bornSeq = event.seq;
      const delivery = folded &&
        deliveryOf(event, { before, state: folded.record.state }, folded.change, folded.record.pace);
      if (delivery === undefined) {
        this.counts.late++;
      } else {
        deliveries.push(delivery);
        this.#tail.push(delivery);
      }
    }
    this.#head = read.at(-1)?.entry.seq ?? this.#head;
    const { ended, underWay } = this.#table.evict();
    this.counts.evicted += ended.length;
    this.counts.evictedUnderWay += underWay.length;
    return { deliveries, removed: [...ended, ...underWay] };
  }

  /**
   * Brings those of the events' tasks back that were evicted, as they were before, so that a straggler finds the
   * ended task ended.
   */
  async #recall(events: readonly TaskEvent[]): Promise<void> {
    const table = this.#table;
    const strangers = new Map<string, number>();
    for (const { taskId, seq } of events) {
      if (strangers.has(taskId) || table.get(taskId) !== undefined || !table.mayBeEvicted(taskId)) continue;
      strangers.set(taskId, seq - 1);
    }
    if (strangers.size === 0) return;
    for (const [id, past] of await this.#pasts.at(strangers)) table.restore(id, past);
  }

  /** Whose the tasks are that left memory and that nothing but values of channels is told of. */
  async #whoseOfStrangers(batch: readonly Entry[]): Promise<ReadonlyMap<string, Whose>> {
    const strangers = new Set<string>();
    for (const { subject } of batch) {
      const taskId = taskOf(channelOf(subject)?.topic ?? "");
      if (taskId === undefined || this.#table.get(taskId) !== undefined) continue;
      if (this.#table.mayBeEvicted(taskId)) strangers.add(taskId);
    }
    return await this.#pasts.whose(strangers, this.#head);
  }
}

function namesNow(record: TaskRecord | undefined): TaskNames | undefined {
  return record && namesOf(record.state);
}

/** A record as it was understood, or why it was not. */
type ReadEntry = { readonly entry: Entry } & (Parsed | ParsedUpdate);

function readEntry(entry: Entry, namespaces: Namespaces, when: When): ReadEntry {
  return { entry, ...(namespaces.read(entry, when)) };
}

function eventsOf(read: readonly ReadEntry[]): TaskEvent[] {
  return read.flatMap((one) => "event" in one ? [one.event] : []);
}

/** The position of the newest event that a state is made of. */
function newestOf(state: TaskState): number {
  return Math.max(...Object.values(state.greatest).map(({ seq }) => seq));
}

/**
 * Notes where a record lies. Whether it is an event is looked at only where it may tell its attempt, which takes ten times
 * as long: whoever reads it later will see.
 */
function noteRecord(whereabouts: Whereabouts, entry: Entry): void {
  const names = namesIn(entry.subject);
  if (names === undefined || !isKind(names.kind) || !isTaskId(names.taskId)) return;
  let attempt = 1;
  if (mayTellAttempt(entry.body)) {
    const parsed = parseRecord(entry);
    if ("rejected" in parsed) return;
    attempt = parsed.event.attempt;
  }
  whereabouts.note(names.taskId, names.kind, entry.seq, attempt, false);
}

/** Whether a body has "tempt" in it, or a backslash, by which any letter may be written. */
function mayTellAttempt(body: Uint8Array): boolean {
  for (let i = 0; i < body.length; i++) {
    const byte = body[i];
    if (byte === 0x5c) return true;
    if (byte !== 0x74 || body[i + 1] !== 0x65 || body[i + 2] !== 0x6d) continue;
    if (body[i + 3] === 0x70 && body[i + 4] === 0x74) return true;
  }
  return false;
}
