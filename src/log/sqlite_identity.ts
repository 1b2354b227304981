import type { DatabaseSync } from "node:sqlite";
import { LogError } from "./event_log.ts";
import { integer } from "./sqlite_failure.ts";

/** "twlg" in ASCII: marks a SQLite file as one of our logs. */
export const APPLICATION_ID = 0x74776c67;
export const SCHEMA_VERSION = 1;

/** Whether the file is new (empty); throws when it is neither that nor ours. Reads only. */
export function checkIdentity(db: DatabaseSync, doing: string): boolean {
  const application = pragma(db, "application_id");
  const version = pragma(db, "user_version");
  const tables = integer(db.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.n, "n");
  if (application === 0 && version === 0 && tables === 0) return true;
  if (application !== APPLICATION_ID) {
    throw new LogError(
      "refused",
      `${doing}: the file belongs to another program; move it away or choose another DATA_DIR`,
    );
  }
  if (version !== SCHEMA_VERSION) {
    throw new LogError(
      "mismatch",
      `${doing}: its schema is version ${version}, this program reads version ${SCHEMA_VERSION}; ` +
        "run the program that wrote it, or choose another DATA_DIR",
    );
  }
  return false;
}

/** A number that SQLite tells of a file. */
export function pragma(
  db: DatabaseSync,
  name: "application_id" | "user_version" | "page_size" | "page_count",
): number {
  return integer(db.prepare(`PRAGMA ${name}`).get()?.[name], name);
}
