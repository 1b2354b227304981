import type { Entry, EventLog, NewEntry } from "../log/event_log.ts";
import type { SqliteLog } from "../log/sqlite_log.ts";

/** How a target stands to an archive. */
export type Standing = {
  /** Whether an import of this archive was begun, and something of it is left. */
  readonly isBegun: boolean;
  /** Whether the record that lay at a position of the archive's log is there already, by an import before. */
  readonly has: (entry: Pick<Entry, "seq" | "subject">) => boolean;
  /** Whether a record of the target, read with its id, came by an import of this archive. */
  readonly isMoved: (entry: Pick<Entry, "seq" | "id">) => boolean;
};

/** A log into which archives are imported. */
export interface Target {
  readonly log: EventLog;
  /** How many batches may be on their way: one, where a batch that fails must not be followed by one that does not. */
  readonly batches: number;
  /** How it stands to the archive of this name. */
  standing(name: string): Promise<Standing>;
}

/** So many records of an import may be on their way at once; the newest of them may have come without some before them. */
export const MAX_IN_FLIGHT = 4_000;
/** So many positions are looked at at once. */
const LOOKED_AT = 5_000;

/** How a record of an archive is named and known in the target: the id as long as the dedup window, the rest beyond it. */
export function namedEntry(name: string, seq: number): Required<Pick<NewEntry, "id" | "origin">> {
  return { id: `archive:${name}:${seq}`, origin: { name, seq } };
}

/** The embedded log notes with each record how far it is, and which positions it gave to such. */
export function embeddedTarget(log: SqliteLog): Target {
  return {
    log,
    batches: 1,
    async standing(name) {
      const [moved, { lastSeq }] = [await log.moved(name), await log.extent()];
      const { through, spans } = moved ?? { through: 0, spans: [] };
      return {
        isBegun: moved !== undefined,
        has: ({ seq }) => seq <= through,
        // An import has the log for itself: what comes from now on is its own.
        isMoved: ({ seq }) => seq > lastSeq || spans.some(({ first, last }) => first <= seq && seq <= last),
      };
    },
  };
}

/** JetStream keeps the id of every record: the newest ones tell how far it is, however much came beside them. */
export function jetStreamTarget(log: EventLog): Target {
  return { log, batches: 8, standing: (name) => newestOf(log, name) };
}

async function newestOf(log: EventLog, name: string): Promise<Standing> {
  const isMoved: Standing["isMoved"] = ({ id = "" }) => seqIn(id, name) !== undefined;
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
  }
  if (found.size === 0) return { isBegun: false, has: () => false, isMoved };
  // A loop: the arguments of Math.min have a limit.
  let oldest = Infinity;
  for (const seq of found) oldest = Math.min(oldest, seq);
  // Whatever is further back than can have been on its way was stored, and may be gone by age.
  const isFromStart = from < firstSeq && firstSeq === 1;
  const has: Standing["has"] = ({ seq, subject }) => {
    if (found.has(seq) || (seq < oldest && !isFromStart)) return true;
    // Retention takes the oldest of a subject: one that is missing before newer ones of it had been there.
    return seq < (newest.get(subject) ?? 0);
  };
  return { isBegun: true, has, isMoved };
}

function seqIn(id: string, name: string): number | undefined {
  const begin = `archive:${name}:`;
  if (!id.startsWith(begin) || !/^\d{1,16}$/.test(id.slice(begin.length))) return undefined;
  return Number(id.slice(begin.length));
}
