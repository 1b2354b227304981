import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import { type Entry, LogError, type Page } from "./event_log.ts";
import { integer, text } from "./sqlite_failure.ts";

/** Most records one chunk reads: some 2 ms of the event loop. */
const CHUNK_RECORDS = 500;
/** Most bytes of bodies one chunk holds; the record that passes it is the last. */
const CHUNK_BYTES = 4 * 1024 * 1024;
/** Up to so many subjects below a prefix are merged by index; with more, the records are walked. */
const MERGED_SUBJECTS = 64;
/** Most records one chunk walks past in search of a subject. */
const WALKED_RECORDS = 5_000;
/** Up to so many subjects below a prefix are sorted at once for their last records. */
const SORTED_SUBJECTS = 1_000;
/** Most subjects one batch of last records looks at. */
const BATCH_SUBJECTS = 250;

const ENTRY = "r.seq AS seq, r.time AS time, s.name AS name, r.traceparent AS traceparent, r.body AS body";

/** Reads a log's tables. Every call is one bounded piece of work, between which the caller lets others run. */
export class SqliteReader {
  readonly #db: DatabaseSync;
  readonly #all: StatementSync;
  readonly #walkEnd: StatementSync;
  readonly #walk: StatementSync;
  readonly #firstSeq: StatementSync;
  readonly #subjectId: StatementSync;
  readonly #subjectIds: StatementSync;
  readonly #lastsOfFew: StatementSync;
  readonly #lastsEnd: StatementSync;
  readonly #lasts: StatementSync;
  readonly #idAt: StatementSync;
  /** By how many subjects they merge, a power of two. */
  readonly #merges = new Map<number, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#all = db.prepare(
      `SELECT ${ENTRY} FROM records r CROSS JOIN subjects s ON s.id = r.subject
       WHERE r.seq > ? AND r.seq <= ? ORDER BY r.seq LIMIT ?`,
    );
    this.#walkEnd = db.prepare(
      `SELECT max(seq) AS seq FROM (SELECT seq FROM records WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?)`,
    );
    this.#walk = db.prepare(
      `SELECT ${ENTRY} FROM records r CROSS JOIN subjects s ON s.id = r.subject
       WHERE r.seq > ? AND r.seq <= ? AND s.name >= ? AND s.name < ? ORDER BY r.seq LIMIT ?`,
    );
    this.#idAt = db.prepare("SELECT id FROM ids WHERE seq = ?");
    this.#firstSeq = db.prepare("SELECT seq FROM records ORDER BY seq LIMIT 1");
    this.#subjectId = db.prepare("SELECT id FROM subjects WHERE name = ?");
    this.#subjectIds = db.prepare("SELECT id FROM subjects WHERE name >= ? AND name < ? LIMIT ?");
    this.#lastsOfFew = db.prepare(
      `SELECT ${ENTRY} FROM
         (SELECT name, last_seq FROM subjects WHERE name >= ? AND name < ? AND +last_seq > ?
          ORDER BY +last_seq LIMIT ?) s
         CROSS JOIN records r ON r.seq = s.last_seq ORDER BY r.seq`,
    );
    this.#lastsEnd = db.prepare(
      `SELECT max(last_seq) AS seq FROM
         (SELECT last_seq FROM subjects WHERE last_seq > ? ORDER BY last_seq LIMIT ?)`,
    );
    this.#lasts = db.prepare(
      `SELECT ${ENTRY} FROM subjects s CROSS JOIN records r ON r.seq = s.last_seq
       WHERE s.last_seq > ?1 AND s.last_seq <= ?2 AND (?3 IS NULL OR (s.name >= ?3 AND s.name < ?4))
       ORDER BY s.last_seq`,
    );
  }

  /** The oldest position held; undefined when nothing is held. */
  firstSeq(): number | undefined {
    const row = this.#firstSeq.get();
    return row === undefined ? undefined : integer(row.seq, "seq");
  }

  /**
   * The first records of `subject` after `after` and up to `upTo`: at most `limit`, fewer where the chunk's
   * own bounds end it. `through` is as in a {@link Page}: whoever wants more asks again from there.
   */
  chunk(subject: string | undefined, after: number, upTo: number, limit: number): Page {
    const most = Math.min(limit, CHUNK_RECORDS);
    if (subject === undefined) {
      return chunkOf(this.#all, (from, count) => [from, upTo, count], { after, upTo, most });
    }
    const ids = this.#idsOf(subject);
    if (ids.length === 0) return { entries: [], through: upTo };
    if (ids.length > MERGED_SUBJECTS) return this.#walked(subject, after, upTo, most);
    const [merge, width] = this.#mergeOf(ids.length);
    const padded = [...ids, ...Array.from({ length: width - ids.length }, () => 0)];
    return chunkOf(merge, (from, count) => [from, upTo, count, ...padded], { after, upTo, most });
  }

  /** The same records with their ids, of which those within the dedup window are known. */
  withIds(entries: readonly Entry[]): Entry[] {
    // One by one: between records of one subject may lie all that the window holds.
    return entries.map((entry) => {
      const id = this.#idAt.get(entry.seq)?.id;
      return id === undefined ? entry : { ...entry, id: text(id, "id") };
    });
  }

  /**
   * The last records of the subjects (below `prefix`, which ends in `.>`) whose last record lies after
   * `after`, in order. `head` is the newest position. Whoever wants more asks again from `through`.
   */
  lasts(prefix: string | undefined, after: number, head: number): Page {
    if (prefix === undefined) return this.#lastsWalked(null, null, after, head);
    const [from, to] = range(prefix);
    const few = this.#subjectIds.all(from, to, SORTED_SUBJECTS + 1).length <= SORTED_SUBJECTS;
    if (!few) return this.#lastsWalked(from, to, after, head);
    const bounds = { after, upTo: head, most: BATCH_SUBJECTS };
    return chunkOf(this.#lastsOfFew, (since, count) => [from, to, since, count], bounds);
  }

  #lastsWalked(from: string | null, to: string | null, after: number, head: number): Page {
    const end = this.#lastsEnd.get(after, BATCH_SUBJECTS)?.seq;
    if (typeof end !== "number") return { entries: [], through: head };
    const most = BATCH_SUBJECTS;
    return chunkOf(this.#lasts, (since) => [since, end, from, to], { after, upTo: end, most });
  }

  /** The next records below a prefix that many subjects share, found by walking the records themselves. */
  #walked(prefix: string, after: number, upTo: number, most: number): Page {
    const end = this.#walkEnd.get(after, upTo, WALKED_RECORDS)?.seq;
    if (typeof end !== "number") return { entries: [], through: upTo };
    const names = range(prefix);
    return chunkOf(this.#walk, (from, count) => [from, end, ...names, count], { after, upTo: end, most });
  }

  /** The row ids of `subject`, or of those below it: one more than can be merged at most. */
  #idsOf(subject: string): readonly number[] {
    const rows = subject.endsWith(".>")
      ? this.#subjectIds.all(...range(subject), MERGED_SUBJECTS + 1)
      : this.#subjectId.all(subject);
    return rows.map((row) => integer(row.id, "id"));
  }

  /** A statement that merges the records of `count` subjects by index, without sorting them first. */
  #mergeOf(count: number): readonly [StatementSync, number] {
    const width = 2 ** Math.ceil(Math.log2(count));
    let statement = this.#merges.get(width);
    if (statement === undefined) {
      const arms = Array.from(
        { length: width },
        (_, i) => `SELECT seq FROM records WHERE subject = ?${i + 4} AND seq > ?1 AND seq <= ?2`,
      );
      statement = this.#db.prepare(
        `SELECT ${ENTRY} FROM (${arms.join(" UNION ALL ")} ORDER BY seq LIMIT ?3) m
         CROSS JOIN records r ON r.seq = m.seq CROSS JOIN subjects s ON s.id = r.subject ORDER BY m.seq`,
      );
      this.#merges.set(width, statement);
    }
    return [statement, width];
  }
}

/** The names below `a.b.>` are those from `a.b.` up to, but not with, `a.b/`: the byte after the dot. */
function range(prefix: string): [string, string] {
  const stem = prefix.slice(0, -2);
  return [`${stem}.`, `${stem}/`];
}

/**
 * Takes what `statement` brings up to the byte bound; `given` is what it is asked with. Fewer rows than `most` mean that
 * there are no more up to `upTo`. But Deno (2.9) ends an iteration in which SQLite fails as if it had come to its end, so that
 * what is damaged would seem never to have been: what would be next is asked for once more, in the way that fails.
 */
function chunkOf(
  statement: StatementSync,
  given: (after: number, most: number) => SQLInputValue[],
  { after, upTo, most }: { readonly after: number; readonly upTo: number; readonly most: number },
): Page {
  const entries: Entry[] = [];
  let bytes = 0;
  for (const row of statement.iterate(...given(after, most))) {
    const entry = toEntry(row);
    entries.push(entry);
    bytes += entry.body.length;
    if (entries.length === most || bytes >= CHUNK_BYTES) return { entries, through: entry.seq };
  }
  if (statement.get(...given(entries.at(-1)?.seq ?? after, 1)) !== undefined) {
    throw new LogError("unreachable", "The log could not be read to the end");
  }
  return { entries, through: upTo };
}

function toEntry(row: Record<string, SQLOutputValue>): Entry {
  const { body, traceparent } = row;
  if (!(body instanceof Uint8Array)) {
    throw new LogError("damaged", "The log is damaged: a record has no body");
  }
  return {
    seq: integer(row.seq, "seq"),
    time: integer(row.time, "time"),
    subject: text(row.name, "name"),
    body,
    ...(typeof traceparent === "string" ? { traceparent } : {}),
  };
}
