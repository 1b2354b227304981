import { setImmediate } from "node:timers";
import {
  type Appended,
  type Entry,
  entryFault,
  type EventLog,
  type Extent,
  type Followed,
  LogError,
  type NewEntry,
  type Page,
  type PageQuery,
} from "./event_log.ts";
import { othersFirst } from "./others_first.ts";
import { type Append, AppendQueue } from "./sqlite_appends.ts";
import { logFailure } from "./sqlite_failure.ts";
import { bootTime, closeFile, type Head, type HeldFile, openFile } from "./sqlite_file.ts";
import { Changes, told } from "./sqlite_follow.ts";
import { WalFlush } from "./sqlite_flush.ts";
import { SqliteReader } from "./sqlite_reader.ts";
import { type Moved, type Retention, SqliteWriter } from "./sqlite_writer.ts";

/** The largest body that is taken, in bytes: NATS's own default. */
const MAX_BODY_BYTES = 1_048_576;
/** Most records a follower is handed at once. */
const FOLLOWED_RECORDS = 256;
/** How many records an idle log's sweep removes at once: some 8 ms of the event loop. */
const SWEPT_RECORDS = 250;
/** How often an idle log looks for what has outlived its age: a twentieth of the age, within these bounds. */
const SWEEP_MS = { least: 100, most: 60_000 };

/** How to open the embedded log. */
export type SqliteLogOptions = Retention & {
  /** The folder of the log's file `log.sqlite`; made when missing. One process at a time. */
  readonly dataDir: string;
  /** The log's clock, ms since the epoch. Default: the system's. */
  readonly now?: () => number;
  /**
   * What an acknowledged record survives. `disk`, the default: the end of the process and of the machine.
   * `process`: the end of the process only; a power cut may take the records of the last seconds.
   */
  readonly survives?: "disk" | "process";
  /** The bytes at which the file stops growing; appends are then refused until retention has made room. */
  readonly maxBytes?: number;
  /** Names a new life of the log. Default: random. */
  readonly newEpoch?: () => string;
  /** When this machine started, ms since the epoch. A log left open on an earlier boot has a new epoch. */
  readonly bootedAtMs?: number;
};

/** An {@link EventLog} in one SQLite file of one process. */
export interface SqliteLog extends EventLog {
  /** Removes every record and begins another life of the log: positions start at 1 under a new epoch. */
  reset(): Promise<void>;
  /** What was moved here with `name`, as long as the last of it is here; undefined otherwise. */
  moved(name: string): Promise<Moved | undefined>;
}

/**
 * Opens the embedded log, making it where it is missing. Rejects with a {@link LogError} that says what to do
 * when another process holds it or the file is not a log of this version; the file is then left as it is.
 */
export async function openSqliteLog(options: SqliteLogOptions): Promise<SqliteLog> {
  const { dataDir, maxBytes = Infinity, newEpoch = randomEpoch, bootedAtMs = bootTime() } = options;
  const path = `${dataDir}/log.sqlite`;
  try {
    await Deno.mkdir(dataDir, { recursive: true });
  } catch (cause) {
    throw new LogError("refused", `Cannot make the folder "${dataDir}" for the log`, { cause });
  }
  const file = openFile({ path, maxBytes, newEpoch, bootedAtMs });
  let flush: WalFlush | undefined;
  try {
    flush = await WalFlush.open(path);
    // The mark that the log is open must be on the disk before anything relies on it.
    await flush.flushed();
    return new SqliteEventLog(file, flush, { ...options, newEpoch });
  } catch (cause) {
    flush?.[Symbol.dispose]();
    closeFile(file);
    throw new LogError("refused", `Cannot flush the log "${path}" to the disk`, { cause });
  }
}

/** All on the event loop's thread: every stretch without an await sees one state of the log. */
class SqliteEventLog implements SqliteLog {
  readonly #file: HeldFile;
  readonly #flush: WalFlush;
  readonly #reader: SqliteReader;
  readonly #writer: SqliteWriter;
  readonly #queue = new AppendQueue();
  readonly #now: () => number;
  readonly #newEpoch: () => string;
  readonly #syncs: boolean;
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #changes = new Changes();
  /** Acknowledgements on their way: flushes under way. */
  readonly #settling = new Set<Promise<void>>();
  #head: Head;
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    file: HeldFile,
    flush: WalFlush,
    options: SqliteLogOptions & { readonly newEpoch: () => string },
  ) {
    this.#file = file;
    this.#head = file.head;
    this.#flush = flush;
    this.#reader = new SqliteReader(file.db);
    this.#writer = new SqliteWriter(file.db, options);
    this.#now = options.now ?? Date.now;
    this.#newEpoch = options.newEpoch;
    this.#syncs = (options.survives ?? "disk") === "disk";
    const everyMs = Math.min(Math.max(options.retainAgeMs / 20, SWEEP_MS.least), SWEEP_MS.most);
    this.#sweeper = setInterval(() => this.#write(), everyMs);
    this.#write();
  }

  append(entries: readonly NewEntry[]): Promise<readonly Appended[]> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    for (const entry of entries) {
      const fault = entry.body.length > MAX_BODY_BYTES
        ? `body: must be at most ${MAX_BODY_BYTES} bytes`
        : entryFault(entry);
      if (fault !== undefined) return Promise.reject(new LogError("refused", `Cannot append: ${fault}`));
    }
    const settled = this.#queue.add(entries);
    this.#write();
    return settled;
  }

  async *follow(
    from: { readonly epoch: string; readonly after: number },
    signal: AbortSignal,
  ): AsyncGenerator<Followed, undefined, undefined> {
    let { epoch, after } = from;
    while (!signal.aborted) {
      this.#assertOpen();
      const { epoch: present, lastSeq } = this.#head;
      if (epoch !== present || after > lastSeq) {
        const extent = this.#extent();
        epoch = present;
        after = extent.firstSeq - 1;
        yield { kind: "epoch", extent };
        continue;
      }
      if (after === lastSeq) {
        await this.#changes.next(signal);
        continue;
      }
      const page = this.#reading(() => this.#reader.chunk(undefined, after, lastSeq, FOLLOWED_RECORDS));
      for (const item of told(page, after)) {
        yield item;
        if (signal.aborted) return;
      }
      after = page.through;
      await turn();
    }
  }

  async read({ after, upTo = Infinity, subject, limit, maxBytes = Infinity, ids }: PageQuery): Promise<Page> {
    this.#assertOpen();
    const { epoch, lastSeq } = this.#head;
    const end = Math.max(after, Math.min(upTo, lastSeq));
    const entries: Entry[] = [];
    let bytes = 0;
    let through = after;
    while (through < end && entries.length < limit) {
      if (through > after) await othersFirst();
      this.#assertLife(epoch);
      const page = this.#reading(() => this.#reader.chunk(subject, through, end, limit - entries.length));
      through = page.through;
      const found = ids === true ? this.#reading(() => this.#reader.withIds(page.entries)) : page.entries;
      for (const entry of found) {
        entries.push(entry);
        bytes += entry.body.length;
        if (bytes >= maxBytes) return { entries, through: entry.seq };
      }
    }
    return { entries, through };
  }

  async *lastPerSubject(subject?: string): AsyncGenerator<readonly Entry[], void, undefined> {
    this.#assertOpen();
    const { epoch } = this.#head;
    // A subject appended to meanwhile moves ahead of the walk and is met there: none that was there is left
    // out.
    for (let through = 0; through < this.#head.lastSeq;) {
      const page = this.#reading(() => this.#reader.lasts(subject, through, this.#head.lastSeq));
      through = page.through;
      if (page.entries.length > 0) yield page.entries;
      await turn();
      this.#assertLife(epoch);
    }
  }

  extent(): Promise<Extent> {
    return Promise.try(() => {
      this.#assertOpen();
      return this.#extent();
    });
  }

  moved(name: string): Promise<Moved | undefined> {
    return Promise.try(() => {
      this.#assertOpen();
      return this.#reading(() => this.#writer.moved(name));
    });
  }

  reset(): Promise<void> {
    return Promise.try(() => {
      this.#assertOpen();
      try {
        this.#head = this.#writer.restart(this.#head, this.#newEpoch());
      } catch (error) {
        throw logFailure(error, "Cannot reset the log");
      }
      this.#changes.tell();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Writes what waits, acknowledges it, and closes the file. Appends are no longer taken; followers end. */
  async #close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#changes.tell();
    await this.#writing;
    await Promise.all(this.#settling);
    this.#flush[Symbol.dispose]();
    closeFile(this.#file);
  }

  /** Sees to it that what waits is written from the next turn of the event loop on: one writer at a time. */
  #write(): void {
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    let stored: number;
    do {
      await turn();
      stored = this.#queue.isEmpty ? 0 : this.#writeGroup();
      if (stored > 0) await turn();
      // At least as many as were stored, so that retention keeps up with any flow.
    } while (this.#sweep(Math.max(stored, SWEPT_RECORDS)) || !this.#queue.isEmpty);
    // In the same stretch as the last look at the queue: an append after it must find that nobody writes.
    this.#writing = undefined;
  }

  /** Writes one group of what waits in one transaction; returns by how many records the log grew. */
  #writeGroup(): number {
    const before = this.#head;
    try {
      this.#head = this.#writer.store(before, this.#now(), (put) => this.#queue.fill(put));
    } catch (cause) {
      const failure = logFailure(cause, "Cannot append to the log");
      for (const append of this.#queue.takeAll()) append.reject(failure);
      return 0;
    }
    this.#settle(this.#queue.takeFilled(), this.#head !== before);
    return this.#head.lastSeq - before.lastSeq;
  }

  /** Acknowledges `appends` once they are as durable as asked for, then lets the followers see. */
  #settle(appends: readonly Append[], grown: boolean): void {
    const durable = this.#syncs ? this.#flush.flushed() : Promise.resolve();
    const settling = durable.then(() => {
      for (const { resolve, outcomes } of appends) resolve(outcomes);
    }, (cause) => {
      const failure = new LogError("unreachable", "Cannot flush the log to the disk", { cause });
      for (const { reject } of appends) reject(failure);
    }).finally(() => {
      if (grown) this.#changes.tell();
      this.#settling.delete(settling);
    });
    this.#settling.add(settling);
  }

  /** Removes up to `limit` records past their time; whether any were. The next append tells of a full disk. */
  #sweep(limit: number): boolean {
    try {
      const now = this.#now();
      if (this.#closing !== undefined || !this.#writer.isSweepDue(now)) return false;
      this.#writer.sweep(now, limit);
      return true;
    } catch {
      return false;
    }
  }

  #extent(): Extent {
    const { epoch, lastSeq } = this.#head;
    return { epoch, firstSeq: this.#reading(() => this.#reader.firstSeq()) ?? lastSeq + 1, lastSeq };
  }

  #reading<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw logFailure(error, "Cannot read the log");
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }

  /** What was read belongs together only within one life of the log. */
  #assertLife(epoch: string): void {
    this.#assertOpen();
    if (this.#head.epoch !== epoch) {
      throw new LogError("unreachable", "The log was made again while it was read");
    }
  }
}

/** The next turn of the event loop: whatever else waits comes first. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function randomEpoch(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 16);
}

function closedError(): LogError {
  return new LogError("closed", "The log is closed");
}
