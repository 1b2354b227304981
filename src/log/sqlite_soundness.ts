import { closeSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { LogError } from "./event_log.ts";
import { logFailure, MENDING, resultCode } from "./sqlite_failure.ts";
import { checkIdentity, pragma } from "./sqlite_identity.ts";

/** Files up to this size are looked through page by page: some 3 ms a MiB. Greater ones are as they are read. */
const LOOKED_THROUGH_BYTES = 67_108_864;
/** The header of a SQLite file (https://sqlite.org/fileformat2.html, 1.3), and that of a write-ahead log (4.1). */
const HEADER_BYTES = 100;
const WAL_HEADER_BYTES = 32;
const WAL_MAGIC = 0x377f0682;
/** How long another may be in our way, ms. */
const OTHERS_MS = 2_000;

/**
 * Looks whether the file at `path` is a log of ours, and whole, before anything of it is changed: SQLite would bring what a
 * write-ahead log holds into a damaged file, throw it away beside an empty one, and pass over one that it cannot read.
 * `wasMade`: there was a log here before. Throws `LogError` "damaged", or as `checkIdentity` does.
 */
export function lookThrough(
  path: string,
  { doing, wasMade }: { readonly doing: string; readonly wasMade: boolean },
): void {
  const wal = `${path}-wal`;
  const before = sizeOf(wal);
  try {
    assertWhole({ path, wal, bytes: sizeOf(path), ahead: before ?? 0, wasMade }, doing);
  } catch (error) {
    // Reading makes one where there is none.
    if (before === undefined && sizeOf(wal) === 0) {
      for (const made of [wal, `${path}-shm`]) rmSync(made, { force: true });
    }
    throw error;
  }
}

/** The files of a log: `bytes` of it, undefined where it is not there, and `ahead` of its write-ahead log. */
type Files = {
  readonly path: string;
  readonly wal: string;
  readonly bytes: number | undefined;
  readonly ahead: number;
  readonly wasMade: boolean;
};

function assertWhole({ path, wal, bytes, ahead, wasMade }: Files, doing: string): void {
  const damaged = (why: string, cause?: unknown) =>
    new LogError("damaged", `${doing}: ${why}; ${MENDING}`, cause === undefined ? {} : { cause });
  if (ahead > 0 && !isWriteAheadLog(wal)) {
    throw damaged("its write-ahead log, the -wal file beside it, is damaged");
  }
  if (bytes === undefined) {
    if (ahead > 0) throw damaged("it is gone, and its write-ahead log is there");
    return;
  }
  if (bytes < HEADER_BYTES && (bytes + ahead > 0 || wasMade)) throw damaged("it is cut short");
  try {
    using db = readOnly(path);
    if (checkIdentity(db, doing)) return;
    if (ahead === 0 && bytes < pragma(db, "page_count") * pragma(db, "page_size")) {
      throw damaged("it is cut short");
    }
    if (bytes + ahead > LOOKED_THROUGH_BYTES) return;
    const found = db.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    if (found !== "ok") throw damaged(`it is damaged (${String(found).replaceAll(/\s+/g, " ")})`);
  } catch (error) {
    // What makes no sense to SQLite in other ways is an error without a name.
    throw resultCode(error) === 1 ? damaged("it is damaged", error) : logFailure(error, doing);
  }
}

/** Whether SQLite would read this file as a write-ahead log: else it passes over all that is in it. */
function isWriteAheadLog(wal: string): boolean {
  const view = new DataView(new ArrayBuffer(WAL_HEADER_BYTES));
  const file = openSync(wal, "r");
  const read = readSync(file, view);
  closeSync(file);
  // One that its process had no time to write to.
  if (Array.from({ length: read }, (_, i) => view.getUint8(i)).every((byte) => byte === 0)) return true;
  const magic = view.getUint32(0);
  const isLittleEndian = magic === WAL_MAGIC;
  let [one, other] = [0, 0];
  for (let at = 0; at < WAL_HEADER_BYTES - 8; at += 8) {
    one = (one + view.getUint32(at, isLittleEndian) + other) >>> 0;
    other = (other + view.getUint32(at + 4, isLittleEndian) + one) >>> 0;
  }
  return read === WAL_HEADER_BYTES && (isLittleEndian || magic === WAL_MAGIC + 1) &&
    one === view.getUint32(WAL_HEADER_BYTES - 8) && other === view.getUint32(WAL_HEADER_BYTES - 4);
}

function readOnly(path: string): DatabaseSync & Disposable {
  return new DatabaseSync(path, { readOnly: true, timeout: OTHERS_MS });
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
