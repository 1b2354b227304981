import type { EventLog, NewEntry } from "../log/event_log.ts";
import type { SqliteLog } from "../log/sqlite_log.ts";

/** Whether the record that lay at a position of the log of an archive is in the target already, by an import before. */
export type Imported = (entry: { readonly seq: number; readonly subject: string }) => boolean;

/** A log into which archives are imported. */
export interface Target {
  readonly log: EventLog;
  /** How many batches may be on their way: one, where a batch that fails must not be followed by one that does not. */
  readonly batches: number;
  /** What an import of this name has brought; undefined where there was none, or nothing of it is left. */
  imported(name: string): Promise<Imported | undefined>;
}

/** So many records of an import may be on their way at once; the newest of them may have come without some before them. */
export const MAX_IN_FLIGHT = 4_000;
/** So many positions are looked at at once. */
const LOOKED_AT = 5_000;

/** How a record of an archive is named and known in the target: the id as long as the dedup window, the rest beyond it. */
export function namedEntry(name: string, seq: number): Required<Pick<NewEntry, "id" | "origin">> {
  return { id: `archive:${name}:${seq}`, origin: { name, seq } };
}

/** The embedded log notes with each record how far it is. */
export function embeddedTarget(log: SqliteLog): Target {
  return {
    log,
    batches: 1,
    async imported(name) {
      const moved = await log.moved(name);
      return moved === undefined ? undefined : ({ seq }) => seq <= moved.through;
    },
  };
}

/** JetStream keeps the id of every record: the newest ones tell how far it is, however much came beside them. */
export function jetStreamTarget(log: EventLog): Target {
  return { log, batches: 8, imported: (name) => newestOf(log, name) };
}

async function newestOf(log: EventLog, name: string): Promise<Imported | undefined> {
  const { firstSeq, lastSeq } = await log.extent();
  const found = new Set<number>();
  /** The newest of each subject. */
  const newest = new Map<string, number>();
  let from = lastSeq;
  while (from >= firstSeq && found.size < MAX_IN_FLIGHT) {
    const upTo = from;
    from = Math.max(firstSeq - 1, upTo - LOOKED_AT);
    for (let after = from; after < upTo;) {
      const page = await log.read({ after, upTo, limit: LOOKED_AT, ids: true });
      for (const { id = "", subject } of page.entries) {
        const seq = seqIn(id, name);
        if (seq === undefined) continue;
        found.add(seq);
        newest.set(subject, Math.max(seq, newest.get(subject) ?? 0));
      }
      after = page.through;
    }
    if (from < firstSeq) break;
  }
  if (found.size === 0) return undefined;
  // A loop: the arguments of Math.min have a limit.
  let oldest = Infinity;
  for (const seq of found) oldest = Math.min(oldest, seq);
  // Whatever is further back than can have been on its way was stored, and may be gone by age.
  const isFromStart = from < firstSeq && firstSeq === 1;
  return ({ seq, subject }) => {
    if (found.has(seq) || (seq < oldest && !isFromStart)) return true;
    // Retention takes the oldest of a subject: one that is missing before newer ones of it had been there.
    return seq < (newest.get(subject) ?? 0);
  };
}

function seqIn(id: string, name: string): number | undefined {
  const begin = `archive:${name}:`;
  if (!id.startsWith(begin) || !/^\d{1,16}$/.test(id.slice(begin.length))) return undefined;
  return Number(id.slice(begin.length));
}
