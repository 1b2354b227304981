import type { EventLog, Extent } from "./event_log.ts";

/**
 * The greatest position whose record was stored at or before `timeMs`; `firstSeq - 1` where none was. Found by some
 * log₂(records) reads of a single record. Where the log's clock went back, it is one of the positions where that time passed.
 */
export async function positionAt(
  log: Pick<EventLog, "read">,
  timeMs: number,
  { firstSeq, lastSeq }: Pick<Extent, "firstSeq" | "lastSeq">,
): Promise<number> {
  let found = firstSeq - 1;
  let end = lastSeq;
  while (found < end) {
    const middle = found + Math.ceil((end - found) / 2);
    const { entries: [entry] } = await log.read({ after: middle - 1, upTo: end, limit: 1 });
    if (entry !== undefined && entry.time <= timeMs) found = entry.seq;
    else end = middle - 1;
  }
  return found;
}
