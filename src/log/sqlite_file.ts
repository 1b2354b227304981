import { uptime } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { LogError } from "./event_log.ts";
import { integer, logFailure, resultCode, text } from "./sqlite_failure.ts";
import { holdFile } from "./sqlite_hold.ts";
import { APPLICATION_ID, checkIdentity, pragma, SCHEMA_VERSION } from "./sqlite_identity.ts";
import { lookThrough } from "./sqlite_soundness.ts";

/** The most pages a SQLite file can have. */
const MOST_PAGES = 4_294_967_294;

/** Two readings of the boot time this close are of one boot; the clock may have been set in between. */
const SAME_BOOT_MS = 60_000;

/**
 * The head of the log is its newest record; where retention has taken every record it is `log.swept_seq`, so
 * an append need not write that row. `subjects.last_seq` makes the last record of each subject a walk over
 * subjects, not over records. An index entry ends with its rowid: `records_by_subject` is ordered by position
 * within each subject. `ids` outlives the records it names: an id is known for the whole window.
 */
const SCHEMA = `
  CREATE TABLE log (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    swept_seq INTEGER NOT NULL,
    swept_time INTEGER NOT NULL,
    booted_at INTEGER NOT NULL,
    closed INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE subjects (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_seq INTEGER NOT NULL,
    records INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX subjects_by_last ON subjects (last_seq);
  CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    traceparent TEXT,
    body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX records_by_subject ON records (subject);
  CREATE TABLE ids (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, id TEXT NOT NULL UNIQUE) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * How far records of another log were moved here: `through` there, of which the last lies at `seq` here; `since` is for
 * programs of before, which took all from there on for moved. Which of them were is `moved_spans`: positions without a gap,
 * in general one row for each import, since nothing else is written meanwhile. Both are made where they are missing: files of
 * before are read as they are, and of what was moved to one without spans it is not known which it was: none is taken for moved.
 */
const MOVED = `
  CREATE TABLE IF NOT EXISTS moved (
    name TEXT PRIMARY KEY,
    through INTEGER NOT NULL,
    since INTEGER NOT NULL,
    seq INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS moved_spans (
    name TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (name, first)
  ) STRICT, WITHOUT ROWID;
`;

/** Where the log stands: its life, the newest position ever given, and that record's time (ms). */
export type Head = { readonly epoch: string; readonly lastSeq: number; readonly lastTime: number };

/** What opening the file needs to know. */
export type FileOptions = {
  readonly path: string;
  /** The size at which the file stops growing: appends are refused until retention has made room in it. */
  readonly maxBytes: number;
  /** Names a new life of the log. */
  readonly newEpoch: () => string;
  /** When this machine started (ms since the epoch); see {@link bootTime}. */
  readonly bootedAtMs: number;
};

/** When this machine started, in ms since the epoch: off by what the clock was set since. */
export function bootTime(): number {
  return Math.round(Date.now() - uptime() * 1000);
}

/** The log's file, held by us alone; others may read beside us. Disposing `hold` lets the next one have it. */
export type HeldFile = { readonly db: DatabaseSync; readonly head: Head; readonly hold: Disposable };

/** How long opening waits for who reads beside us to let go of the file, ms: it does so within a page. */
const READERS_MS = 2_000;

/**
 * Opens the log's file, or makes it, and holds it alone until it is closed. Throws a `refused` {@link
 * LogError} when another process holds it, when it is no log of ours or damaged, and `mismatch` when its
 * schema is another version. Whatever is wrong, the file is left as it is.
 */
export function openFile(options: FileOptions): HeldFile {
  const doing = `Cannot open the log "${options.path}"`;
  try {
    const hold = holdFile(options.path);
    try {
      lookThrough(options.path, { doing, wasMade: hold.wasMade });
      const held = openHeld(options, doing);
      hold.made();
      return { ...held, hold };
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    throw openFailure(error, doing);
  }
}

function openHeld(options: FileOptions, doing: string): Omit<HeldFile, "hold"> {
  const db = new DatabaseSync(options.path, { timeout: READERS_MS });
  try {
    const isNew = checkIdentity(db, doing);
    configure(db, options.maxBytes, doing);
    const head = transaction(db, () => begin(db, isNew, options));
    // From here on nobody can be in our way but a stranger who writes; the event loop does not wait for that.
    db.exec("PRAGMA busy_timeout = 0");
    return { db, head };
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Opens a log's file to read beside whoever holds it; nothing in it is changed. Throws as {@link openFile} does, and
 * `refused` where there is no log.
 */
export function openFileBeside(path: string): DatabaseSync {
  const doing = `Cannot read the log "${path}"`;
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: READERS_MS });
    try {
      if (checkIdentity(db, doing)) throw new LogError("refused", `${doing}: the file is empty`);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    throw openFailure(error, doing);
  }
}

/** Marks the log as closed in good order and closes its file. */
export function closeFile({ db, hold }: Pick<HeldFile, "db" | "hold">): void {
  try {
    db.prepare("UPDATE log SET closed = 1").run();
  } catch {
    // The disk is full. Without the mark the log has a new epoch if the machine restarts; nothing is lost.
  } finally {
    db.close();
    hold[Symbol.dispose]();
  }
}

/** Runs `work` in one transaction; what it throws undoes all of it. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  // Prepared, because the failures of `exec` come without SQLite's result code.
  db.prepare("BEGIN IMMEDIATE").run();
  try {
    const result = work();
    db.prepare("COMMIT").run();
    return result;
  } catch (error) {
    // SQLite has rolled back by itself where the disk was full.
    if (db.isTransaction) db.prepare("ROLLBACK").run();
    throw error;
  }
}

function configure(db: DatabaseSync, maxBytes: number, doing: string): void {
  const mode = db.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
  if (mode !== "wal") {
    throw new LogError("refused", `${doing}: this file system cannot hold a write-ahead log`);
  }
  // NORMAL: a commit is a write and no fsync. It survives the process, and the event loop does not wait for
  // the disk; what must survive the machine is flushed beside it before it is acknowledged: see WalFlush.
  db.exec("PRAGMA synchronous = NORMAL");
  db.exec("PRAGMA cache_size = -32768");
  db.exec("PRAGMA journal_size_limit = 67108864");
  const maxPages = Math.min(Math.floor(maxBytes / pragma(db, "page_size")), MOST_PAGES);
  db.exec(`PRAGMA max_page_count = ${maxPages}`);
}

/** Makes the schema where the file is new, and decides whether the log lives on or begins another life. */
function begin(db: DatabaseSync, isNew: boolean, { newEpoch, bootedAtMs }: FileOptions): Head {
  if (isNew) {
    db.exec(SCHEMA);
    db.prepare("INSERT INTO log VALUES (1, ?, 0, 0, ?, 0)").run(newEpoch(), bootedAtMs);
  }
  db.exec(MOVED);
  const row = db.prepare("SELECT epoch, swept_seq, swept_time, booted_at, closed FROM log").get();
  const lost = row?.closed === 0 && Math.abs(integer(row.booted_at, "booted_at") - bootedAtMs) > SAME_BOOT_MS;
  // The machine went down under it: records somebody has seen may be gone, and their positions be given again.
  const epoch = lost ? newEpoch() : text(row?.epoch, "epoch");
  db.prepare("UPDATE log SET epoch = ?, booted_at = ?, closed = 0").run(epoch, bootedAtMs);
  const newest = db.prepare("SELECT seq, time FROM records ORDER BY seq DESC LIMIT 1").get();
  return {
    epoch,
    lastSeq: integer(newest?.seq ?? row?.swept_seq, "seq"),
    lastTime: integer(newest?.time ?? row?.swept_time, "time"),
  };
}

function openFailure(error: unknown, doing: string): LogError {
  if (resultCode(error) !== 5) return logFailure(error, doing);
  return new LogError(
    "refused",
    `${doing}: another process holds it. One gateway a DATA_DIR: ` +
      "stop the other, choose another DATA_DIR, or share a log by NATS_URL",
    { cause: error },
  );
}
