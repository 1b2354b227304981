import type { SQLOutputValue } from "node:sqlite";
import { LogError } from "./event_log.ts";

/** What is to be done about a log that is damaged. */
export const MENDING =
  "restore it from a backup, or move it away, with the -wal file beside it, to begin anew";

/** What SQLite's failure means to a caller of the log. */
export function logFailure(error: unknown, doing: string): LogError {
  if (error instanceof LogError) return error;
  const because = (code: "unreachable" | "refused" | "damaged", why: string) =>
    new LogError(code, `${doing}: ${why}`, { cause: error });
  switch (resultCode(error)) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return because("unreachable", "another process holds it");
    case 10: // SQLITE_IOERR
      return because("unreachable", "the disk failed to read or write");
    case 3: // SQLITE_PERM
    case 8: // SQLITE_READONLY
    case 14: // SQLITE_CANTOPEN
      return because("refused", "it may not be written; check the rights of the folder and the file");
    case 13: // SQLITE_FULL
      return because(
        "refused",
        "the disk is full, or the log has its greatest size; appending goes on once there is room",
      );
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return because("damaged", `it is no SQLite database, or damaged; ${MENDING}`);
    default:
      return because("refused", error instanceof Error ? error.message : String(error));
  }
}

/** A whole number from a row, or a failure that names the column. */
export function integer(value: SQLOutputValue | undefined, column: string): number {
  if (typeof value === "number") return value;
  throw new LogError("damaged", `The log is damaged: column ${column} holds ${typeof value}`);
}

/** A text from a row, or a failure that names the column. */
export function text(value: SQLOutputValue | undefined, column: string): string {
  if (typeof value === "string") return value;
  throw new LogError("damaged", `The log is damaged: column ${column} holds ${typeof value}`);
}

/** SQLite's primary result code of a failure; undefined where Deno gives none. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") {
    return undefined;
  }
  return error.errcode & 0xff;
}
