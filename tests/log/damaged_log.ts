import { openSqliteLog } from "../../src/log/sqlite_log.ts";
import { numbered } from "./probe.ts";

/** How the logs are kept that are damaged. */
export const LIMITS = { retainAgeMs: 3_600_000, retainPerSubject: 1_000_000, dedupWindowMs: 120_000 };
/** The bytes of a page of SQLite. */
export const PAGE = 4_096;
/** How many records they have. */
export const RECORDS = 2_000;

/** How a file comes to be damaged: what of its bytes is left, and what they are then. */
export type Damage = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

const cutTo = (length: number): Damage => (bytes) =>
  bytes.slice(0, length < 0 ? bytes.length + length : length);
const filled = (start: number, end: number): Damage => (bytes) => bytes.fill(0xa5, start, end);
/** A page is garbage. */
export const page = (n: number): Damage => filled(n * PAGE, (n + 1) * PAGE);

/** What a log may have come to that was closed in good order. */
export const DAMAGES: Readonly<Record<string, Damage>> = {
  "nothing is left of it": cutTo(0),
  "one byte is left": cutTo(1),
  "half of the header is left": cutTo(50),
  "the header is left": cutTo(100),
  "part of the first page is left": cutTo(PAGE - 1),
  "the first page is left": cutTo(PAGE),
  "half of it is left": (bytes) => bytes.slice(0, bytes.length >> 1),
  "its last page is gone": cutTo(-PAGE),
  "its last byte is gone": cutTo(-1),
  "its name in the header is wrong": filled(0, 4),
  "its page size is wrong": filled(16, 18),
  "its versions are wrong": filled(18, 20),
  "its size in the header is wrong": filled(28, 32),
  "its format is wrong": filled(40, 60),
  "its schema is gone": filled(100, PAGE),
  "its table of lives is gone": page(1),
  "its subjects are gone": page(2),
  "its records are gone": page(4),
  "a page in its middle is gone": (bytes) => page(Math.floor(bytes.length / PAGE / 2))(bytes),
  "its last page is garbage": (bytes) => bytes.fill(0xa5, bytes.length - PAGE),
  "all of it is zeros": (bytes) => bytes.fill(0),
  "it is a text": () => new TextEncoder().encode("These are the notes of somebody else.\n".repeat(500)),
};

/** What is left of a log beside which its process was killed: its write-ahead log has all that there is. */
export const DAMAGES_AHEAD: Readonly<Record<string, readonly [file: "" | "-wal", Damage]>> = {
  "its write-ahead log is garbage": ["-wal", (bytes) => bytes.fill(0xa5)],
  "the header of its write-ahead log is wrong": ["-wal", filled(12, 20)],
  "nothing is left of it but its write-ahead log": ["", cutTo(0)],
};

/** A log that was closed in good order. */
export async function made(dataDir: string): Promise<void> {
  await using log = await openSqliteLog({ ...LIMITS, dataDir });
  for (let i = 0; i < RECORDS; i += 500) await log.append(numbered(500, (n) => `task.t${n % 100}.progress`));
}

/** A log whose process was killed. */
export async function killed(dataDir: string): Promise<void> {
  const files = ["log.sqlite", "log.sqlite-wal"];
  {
    await using log = await openSqliteLog({ ...LIMITS, dataDir });
    for (let i = 0; i < RECORDS; i += 500) {
      await log.append(numbered(500, (n) => `task.t${n % 100}.progress`));
    }
    for (const file of files) await Deno.copyFile(`${dataDir}/${file}`, `${dataDir}/${file}.kept`);
  }
  for (const file of files) await Deno.rename(`${dataDir}/${file}.kept`, `${dataDir}/${file}`);
}

/** Damages a file. */
export async function change(path: string, damage: Damage): Promise<void> {
  await Deno.writeFile(path, damage(await Deno.readFile(path)));
}

/** What is in the log's files, but for those that SQLite makes anew whenever it likes. */
export async function filesOf(dataDir: string): Promise<unknown> {
  const names = [...Deno.readDirSync(dataDir)].map(({ name }) => name).filter((name) =>
    !/-shm$|\.lock$/.test(name)
  );
  return await Promise.all(
    names.sort().map(async (name) => {
      const hash = await crypto.subtle.digest("SHA-256", await Deno.readFile(`${dataDir}/${name}`));
      return [name, new Uint8Array(hash).toHex()];
    }),
  );
}
