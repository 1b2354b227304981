import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type Appended, type NewEntry, type Origin, OVERTAKEN } from "./event_log.ts";
import { integer } from "./sqlite_failure.ts";
import { type Head, transaction } from "./sqlite_file.ts";

/** What the log keeps: all three in ms, or in records. */
export type Retention = {
  /** Records this old are removed. */
  readonly retainAgeMs: number;
  /** A subject with more records than this loses its oldest. */
  readonly retainPerSubject: number;
  /** For how long an id is known. */
  readonly dedupWindowMs: number;
};

/** How far records were moved here from another log, up to `through` there, and where they lie here: both ends included. */
export type Moved = {
  readonly through: number;
  readonly spans: readonly { readonly first: number; readonly last: number }[];
};

/**
 * Most records one append removes of a subject over its cap: more than one only after the cap was lowered.
 */
const TRIMMED = 100;

/** Writes a log's tables. Each public method is one bounded transaction. */
export class SqliteWriter {
  readonly #db: DatabaseSync;
  readonly #retention: Retention;
  readonly #knownId: StatementSync;
  readonly #lastOfSubject: StatementSync;
  readonly #countSubject: StatementSync;
  readonly #insertRecord: StatementSync;
  readonly #insertId: StatementSync;
  readonly #insertMoved: StatementSync;
  readonly #moved: StatementSync;
  readonly #growSpan: StatementSync;
  readonly #forgetSpans: StatementSync;
  readonly #insertSpan: StatementSync;
  readonly #spans: StatementSync;
  readonly #trim: StatementSync;
  readonly #uncount: StatementSync;
  readonly #keepHead: StatementSync;
  readonly #oldest: StatementSync;
  readonly #expiredRecords: StatementSync;
  readonly #uncountSwept: StatementSync;
  readonly #forgetSubjects: StatementSync;
  readonly #sweepRecords: StatementSync;
  readonly #oldestId: StatementSync;
  readonly #expiredIds: StatementSync;
  readonly #sweepIds: StatementSync;

  constructor(db: DatabaseSync, retention: Retention) {
    this.#db = db;
    this.#retention = retention;
    this.#knownId = db.prepare("SELECT seq FROM ids WHERE id = ? AND time > ?");
    this.#lastOfSubject = db.prepare("SELECT last_seq FROM subjects WHERE name = ?");
    this.#countSubject = db.prepare(
      `INSERT INTO subjects (name, last_seq, records) VALUES (?, ?, 1)
       ON CONFLICT (name) DO UPDATE SET last_seq = excluded.last_seq, records = records + 1
       RETURNING id, records`,
    );
    this.#insertRecord = db.prepare(
      "INSERT INTO records (seq, time, subject, traceparent, body) VALUES (?, ?, ?, ?, ?)",
    );
    // Replaces the row of an id whose window has passed.
    this.#insertId = db.prepare("INSERT OR REPLACE INTO ids (seq, time, id) VALUES (?, ?, ?)");
    // What was moved before and is gone since was another time.
    this.#insertMoved = db.prepare(
      `INSERT INTO moved (name, through, since, seq) VALUES (?1, ?2, ?3, ?3)
       ON CONFLICT (name) DO UPDATE SET through = excluded.through, seq = excluded.seq,
         since = iif(seq < (SELECT min(seq) FROM records), excluded.since, since)`,
    );
    this.#moved = db.prepare(
      "SELECT through FROM moved WHERE name = ? AND seq >= (SELECT min(seq) FROM records)",
    );
    this.#growSpan = db.prepare(
      `UPDATE moved_spans SET last = ?2
       WHERE name = ?1 AND first = (SELECT max(first) FROM moved_spans WHERE name = ?1) AND last = ?2 - 1`,
    );
    this.#forgetSpans = db.prepare("DELETE FROM moved_spans WHERE last < (SELECT min(seq) FROM records)");
    this.#insertSpan = db.prepare("INSERT INTO moved_spans (name, first, last) VALUES (?1, ?2, ?2)");
    this.#spans = db.prepare("SELECT first, last FROM moved_spans WHERE name = ? ORDER BY first");
    this.#trim = db.prepare(
      "DELETE FROM records WHERE seq IN (SELECT seq FROM records WHERE subject = ? ORDER BY seq LIMIT ?)",
    );
    this.#uncount = db.prepare("UPDATE subjects SET records = records - ? WHERE id = ?");
    this.#keepHead = db.prepare(
      "UPDATE log SET (swept_seq, swept_time) = (SELECT seq, time FROM records WHERE seq = ?)",
    );
    // Times never go back, so what has expired is at the front: no index over time is needed.
    this.#oldest = db.prepare("SELECT time FROM records ORDER BY seq LIMIT 1");
    this.#expiredRecords = db.prepare(
      "SELECT max(seq) AS seq FROM (SELECT seq, time FROM records ORDER BY seq LIMIT ?) WHERE time <= ?",
    );
    // NOT INDEXED: else the grouping walks the whole index by subject instead of the few records to be swept.
    this.#uncountSwept = db.prepare(
      `UPDATE subjects SET records = records - swept.n
       FROM (SELECT subject, count(*) AS n FROM records NOT INDEXED WHERE seq <= ? GROUP BY subject) swept
       WHERE id = swept.subject`,
    );
    this.#forgetSubjects = db.prepare("DELETE FROM subjects WHERE last_seq <= ?");
    this.#sweepRecords = db.prepare("DELETE FROM records WHERE seq <= ?");
    this.#oldestId = db.prepare("SELECT time FROM ids ORDER BY seq LIMIT 1");
    this.#expiredIds = db.prepare(
      "SELECT max(seq) AS seq FROM (SELECT seq, time FROM ids ORDER BY seq LIMIT ?) WHERE time <= ?",
    );
    this.#sweepIds = db.prepare("DELETE FROM ids WHERE seq <= ?");
  }

  /**
   * Stores in one transaction what `each` hands to `put`, as appended at `time` (ms), and returns the head it
   * leaves. What `each` throws, or SQLite does, undoes all of it.
   */
  store(head: Head, time: number, each: (put: (entry: NewEntry) => Appended) => void): Head {
    let { lastSeq } = head;
    const lastTime = Math.max(head.lastTime, Math.floor(time));
    transaction(this.#db, () => {
      each((entry) => {
        const known = this.#known(entry.id, lastTime);
        if (known !== undefined) return { seq: known, duplicate: true };
        if (entry.last !== undefined && entry.last !== this.#lastOf(entry.subject)) return OVERTAKEN;
        lastSeq++;
        this.#insert(entry, lastSeq, lastTime);
        return { seq: lastSeq, duplicate: false };
      });
    });
    return lastSeq === head.lastSeq ? head : { ...head, lastSeq, lastTime };
  }

  /** Whether anything has outlived its age or window at `now` (ms). Reads two rows. */
  isSweepDue(now: number): boolean {
    const { retainAgeMs, dedupWindowMs } = this.#retention;
    const record = this.#oldest.get();
    if (record !== undefined && integer(record.time, "time") <= now - retainAgeMs) return true;
    const id = this.#oldestId.get();
    return id !== undefined && integer(id.time, "time") <= now - dedupWindowMs;
  }

  /** Removes, oldest first, up to `limit` records and as many ids that at `now` (ms) are past their time. */
  sweep(now: number, limit: number): void {
    transaction(this.#db, () => {
      const record = this.#expiredRecords.get(limit, now - this.#retention.retainAgeMs)?.seq;
      if (typeof record === "number") {
        this.#keepHead.run(record);
        this.#uncountSwept.run(record);
        this.#forgetSubjects.run(record);
        this.#sweepRecords.run(record);
      }
      const id = this.#expiredIds.get(limit, now - this.#retention.dedupWindowMs)?.seq;
      if (typeof id === "number") this.#sweepIds.run(id);
    });
  }

  /** Removes everything and begins another life of the log, which it returns. */
  restart(head: Head, epoch: string): Head {
    return transaction(this.#db, () => {
      this.#db.exec("DELETE FROM records; DELETE FROM ids; DELETE FROM subjects");
      this.#db.exec("DELETE FROM moved; DELETE FROM moved_spans");
      this.#db.prepare("UPDATE log SET epoch = ?, swept_seq = 0, swept_time = ?").run(epoch, head.lastTime);
      return { ...head, epoch, lastSeq: 0 };
    });
  }

  /** How far records were moved here with `name`; undefined where retention has taken them all since. */
  moved(name: string): Moved | undefined {
    const row = this.#moved.get(name);
    if (row === undefined) return undefined;
    const spans = this.#spans.all(name).map((span) => ({
      first: integer(span.first, "first"),
      last: integer(span.last, "last"),
    }));
    return { through: integer(row.through, "through"), spans };
  }

  #known(id: string | undefined, time: number): number | undefined {
    if (id === undefined || id === "") return undefined;
    const row = this.#knownId.get(id, time - this.#retention.dedupWindowMs);
    return row === undefined ? undefined : integer(row.seq, "seq");
  }

  #lastOf(subject: string): number {
    const row = this.#lastOfSubject.get(subject);
    return row === undefined ? 0 : integer(row.last_seq, "last_seq");
  }

  #insert({ subject, body, id = "", traceparent, origin }: NewEntry, seq: number, time: number): void {
    const counted = this.#countSubject.get(subject, seq);
    const subjectId = integer(counted?.id, "id");
    this.#insertRecord.run(seq, time, subjectId, traceparent ?? null, body);
    if (id !== "") this.#insertId.run(seq, time, id);
    if (origin !== undefined) this.#noteMoved(origin, seq);
    const excess = Math.min(integer(counted?.records, "records") - this.#retention.retainPerSubject, TRIMMED);
    if (excess <= 0) return;
    this.#trim.run(subjectId, excess);
    this.#uncount.run(excess, subjectId);
  }

  #noteMoved(origin: Origin, seq: number): void {
    this.#insertMoved.run(origin.name, origin.seq, seq);
    if (this.#growSpan.run(origin.name, seq).changes > 0) return;
    // As many as there are imports within what is retained.
    this.#forgetSpans.run();
    this.#insertSpan.run(origin.name, seq);
  }
}
