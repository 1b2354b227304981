import { existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { type Entry, type EventLog, type Extent, LogError, type Page, type PageQuery } from "./event_log.ts";
import { integer, logFailure, text } from "./sqlite_failure.ts";
import { openFileBeside } from "./sqlite_file.ts";
import { SqliteReader } from "./sqlite_reader.ts";

/** What of a log can be read without following it. */
export type ReadableLog = Pick<EventLog, "extent" | "read"> & AsyncDisposable;

/**
 * Opens the embedded log in `dataDir` to read it while a gateway may have it open, which is not disturbed: every page is
 * read at once, from one state of the log. Nothing is changed. Throws `LogError` "refused" where there is no log.
 */
export function openSqliteBeside(dataDir: string): ReadableLog {
  const path = `${dataDir}/log.sqlite`;
  if (!existsSync(path)) throw new LogError("refused", `There is no log "${path}"`);
  return new SqliteBeside(openFileBeside(path));
}

class SqliteBeside implements ReadableLog {
  readonly #db: DatabaseSync;
  readonly #reader: SqliteReader;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#reader = new SqliteReader(db);
  }

  extent(): Promise<Extent> {
    return Promise.try(() => this.#atOnce(() => this.#extent()));
  }

  read({ after, upTo = Infinity, subject, limit, maxBytes = Infinity, ids }: PageQuery): Promise<Page> {
    return Promise.try(() =>
      this.#atOnce(() => {
        const end = Math.max(after, Math.min(upTo, this.#extent().lastSeq));
        if (after >= end) return { entries: [], through: end };
        const page = this.#reader.chunk(subject, after, end, limit);
        const found = ids === true ? this.#reader.withIds(page.entries) : page.entries;
        const entries: Entry[] = [];
        let bytes = 0;
        for (const entry of found) {
          entries.push(entry);
          bytes += entry.body.length;
          if (bytes >= maxBytes) return { entries, through: entry.seq };
        }
        return { entries, through: page.through };
      })
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.try(() => this.#db.close());
  }

  #extent(): Extent {
    const row = this.#db.prepare("SELECT epoch, swept_seq FROM log").get();
    const last = this.#db.prepare("SELECT max(seq) AS seq FROM records").get()?.seq;
    const lastSeq = integer(last ?? row?.swept_seq, "seq");
    return { epoch: text(row?.epoch, "epoch"), firstSeq: this.#reader.firstSeq() ?? lastSeq + 1, lastSeq };
  }

  /** In one transaction of its own, which ends with it: one that goes on would keep the write-ahead log growing. */
  #atOnce<T>(read: () => T): T {
    try {
      this.#db.prepare("BEGIN").run();
      try {
        return read();
      } finally {
        this.#db.prepare("COMMIT").run();
      }
    } catch (error) {
      throw logFailure(error, "Cannot read the log");
    }
  }
}
