import { channelOf } from "../channel/channel_subject.ts";
import type { Namespaces } from "../channel/namespaces.ts";
import type { Entry, EventLog, Extent } from "../log/event_log.ts";
import { isTaskId } from "../protocol/names.ts";
import { isKind, namesIn, parseRecord, type TaskEvent } from "../task/worker_event.ts";
import type { Channels } from "./channels.ts";
import { isStraggler, type Past, pastAfter } from "./past.ts";
import type { PastTasks } from "./past_tasks.ts";
import { RejectedRecords } from "./rejected.ts";
import { TaskTable, UNDER_WAY_FACTOR } from "./task_table.ts";

/** Records read at once of those that were appended during the boot. */
const PAGE_RECORDS = 1_000;
const PAGE_BYTES = 4_194_304;
/** So many last records are walked in the time that searching the log for one task takes: 18 ms on JetStream. */
const LASTS_A_SEARCH = 1_000;

/** What a boot came to. */
export type Booted = {
  readonly table: TaskTable;
  readonly rejected: RejectedRecords;
  readonly channels: Channels;
  /** Everything up to here is folded in. */
  readonly extent: Extent;
  /** How many tasks under way found no room. */
  readonly evictedUnderWay: number;
};

/** What a boot is to know. */
export type BootOptions = {
  readonly maxTasks: number;
  readonly channels: Channels;
  readonly namespaces: Namespaces;
  /** How many records were rejected before, and of which life of the stream up to which position. */
  readonly rejected: number;
  readonly met: { readonly epoch: string; readonly upTo: number };
};

/**
 * Builds the tasks from the last event of each subject, and from what was appended meanwhile. At most `maxTasks` ended
 * tasks are held at once, and as many under way as a table holds; of those let go meanwhile and met again so many that
 * the same holds for them, read at the end in one go, and the rest is left to the log.
 */
export async function boot(log: EventLog, pasts: PastTasks, options: BootOptions): Promise<Booted> {
  const booting = new Booting(log, pasts, options, await log.extent());
  await booting.walk();
  await booting.catchUp();
  await booting.meetAgain();
  await booting.restore();
  return booting;
}

class Booting implements Booted {
  readonly table: TaskTable;
  readonly rejected: RejectedRecords;
  readonly channels: Channels;
  extent: Extent;
  evictedUnderWay = 0;
  readonly #log: EventLog;
  readonly #pasts: PastTasks;
  readonly #options: BootOptions;
  /** Tasks of which a record that is no event, or a straggler of an attempt before, may hide one that counts. */
  readonly #hidden = new Set<string>();
  /** Subjects of channels whose last record is no value, and may hide one. */
  readonly #hiddenValues = new Set<string>();
  /** Tasks that were let go and met again, of which nothing is kept until the end. */
  readonly #again = new Set<string>();
  #walked = 0;

  constructor(log: EventLog, pasts: PastTasks, options: BootOptions, extent: Extent) {
    this.#log = log;
    this.#pasts = pasts;
    this.#options = options;
    this.extent = extent;
    this.table = new TaskTable(options.maxTasks);
    this.rejected = new RejectedRecords(options.rejected);
    this.channels = options.channels;
  }

  /** Folds the last event of each subject in; what is newer than the extent is left to {@link catchUp}. */
  async walk(): Promise<void> {
    for await (const batch of this.#log.lastPerSubject()) {
      this.#walked += batch.length;
      for (const entry of batch) if (entry.seq <= this.extent.lastSeq) this.#meet(entry);
      this.#evict();
    }
  }

  /**
   * Folds in what was appended during the walk. Of some subjects the walk met that and not the record before, as if it had
   * begun later.
   */
  async catchUp(): Promise<void> {
    const now = await this.#log.extent();
    if (now.epoch !== this.extent.epoch) return; // following will notice
    while (this.extent.lastSeq < now.lastSeq) {
      const { lastSeq: after } = this.extent;
      const query = { after, upTo: now.lastSeq, limit: PAGE_RECORDS, maxBytes: PAGE_BYTES };
      const { entries, through } = await this.#log.read(query);
      for (const entry of entries) this.#meet(entry);
      this.#evict();
      this.extent = { ...now, lastSeq: through };
      if (through <= after) return;
    }
  }

  /** Reads the tasks that were met again: each by itself while they are few, else by another walk. */
  async meetAgain(): Promise<void> {
    if (this.#again.size === 0) return;
    const { lastSeq } = this.extent;
    if (this.#again.size * LASTS_A_SEARCH <= this.#walked) {
      for (const id of this.#again) this.#hidden.add(id);
      return;
    }
    const pasts = new Map<string, Past>();
    for await (const batch of this.#log.lastPerSubject()) {
      for (const entry of batch) {
        const id = namesIn(entry.subject)?.taskId ?? "";
        if (!this.#again.has(id)) continue;
        const event = entry.seq <= lastSeq ? eventOf(entry) : undefined;
        const past = pasts.get(id);
        if (event === undefined || (past !== undefined && isStraggler(event, past.state))) {
          this.#hidden.add(id);
        } else pasts.set(id, pastAfter(past, event));
      }
    }
    for (const [id, past] of pasts) this.table.restore(id, { ...past, bornSeq: 0 });
    this.#evict();
  }

  /** Reads the tasks whole of which something may be hidden, and the values that are. */
  async restore(): Promise<void> {
    const about = { namespaces: this.#options.namespaces, upTo: this.extent.lastSeq };
    for (const subject of this.#hiddenValues) {
      for (const update of await this.#pasts.lastOf(subject, about)) this.channels.put(update);
    }
    const ats = new Map([...this.#hidden].map((id) => [id, this.extent.lastSeq]));
    const pasts = await this.#pasts.at(ats);
    for (const [id, past] of pasts) this.table.restore(id, past);
    this.#evict();
  }

  #meet(entry: Entry): void {
    const { met } = this.#options;
    const parsed = this.#options.namespaces.read(entry);
    if ("update" in parsed) {
      this.#hiddenValues.delete(entry.subject);
      return void this.channels.put(parsed.update);
    }
    if ("rejected" in parsed) {
      const isNew = this.extent.epoch !== met.epoch || entry.seq > met.upTo;
      this.rejected.add(entry, parsed.rejected, isNew);
      const names = namesIn(entry.subject);
      if (names !== undefined && isKind(names.kind) && isTaskId(names.taskId)) this.#hidden.add(names.taskId);
      const value = channelOf(entry.subject);
      if (value !== undefined && this.#pasts.isAsked(value.topic, this.#options.namespaces)) {
        this.#hiddenValues.add(entry.subject);
      }
      return;
    }
    const { event } = parsed;
    const known = this.table.get(event.taskId);
    if (known !== undefined && isStraggler(event, known.state)) this.#hidden.add(event.taskId);
    if (known !== undefined || !this.table.mayBeEvicted(event.taskId)) this.table.fold(event, known);
    else if (this.#again.size < UNDER_WAY_FACTOR * this.#options.maxTasks) this.#again.add(event.taskId);
  }

  #evict(): void {
    this.evictedUnderWay += this.table.evict().underWay.length;
  }
}

function eventOf(entry: Entry): TaskEvent | undefined {
  const parsed = parseRecord(entry);
  return "event" in parsed ? parsed.event : undefined;
}
