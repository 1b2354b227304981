import type { Entry } from "../log/event_log.ts";
import type { ChannelPage, ChannelQuery } from "../plugins/plugin.ts";
import type { Projection } from "../projection/projection.ts";
import type { Turns } from "../projection/turns.ts";
import { parseTopic } from "../protocol/topics.ts";

/** What pages are read from. */
export type ChannelSource = { readonly projection: Projection; readonly turns: Turns };

/** Reads records of one channel. */
type ReadRecords = (page: Parameters<Projection["readTask"]>[1]) => ReturnType<Projection["readTask"]>;

/** The most values of one page. */
const MAX_LIMIT = 1_000;
/** What its payloads weigh at most, but for one: with what is said beside each, an answer of a plug-in takes them. */
const PAGE_BYTES = 524_288;
/** Towards the beginning so many times as many positions are looked through each time there was too little. */
const FURTHER = 4;

/**
 * A page of the values of a channel that the log keeps; each read of the log waits for its turn among all that read the past. Rejects
 * with a RangeError where `topic` is of none.
 */
export async function readChannel(
  { projection, turns }: ChannelSource,
  topic: string,
  query: ChannelQuery,
): Promise<ChannelPage> {
  if (parseTopic(topic)?.kind !== "channel") throw new RangeError(`${JSON.stringify(topic)} is no channel`);
  const limit = Math.min(MAX_LIMIT, Math.max(1, Math.floor(query.limit)));
  const read: ReadRecords = (page) => turns.run(() => projection.readTask(topic, page));
  if ("beforeSeq" in query) return await readBack(projection, read, query.beforeSeq, limit);
  const { head } = projection;
  const { entries, through } = await read({
    after: query.afterSeq,
    upTo: head,
    limit,
    maxBytes: PAGE_BYTES,
  });
  const values = valuesOf(projection, entries);
  return through < head ? { values, next_after_seq: through } : { values };
}

/**
 * The last values before a position. A log is read forward alone, so stretches of it are, further and further back: where the
 * channel has most of the log the first has enough, and where it has little of it few stretches reach far.
 */
async function readBack(
  projection: Projection,
  read: ReadRecords,
  beforeSeq: number,
  limit: number,
): Promise<ChannelPage> {
  let upTo = Math.min(Math.max(0, beforeSeq - 1), projection.head);
  let entries: readonly Entry[] = [];
  let isCut = false;
  for (let length = limit; upTo > 0 && !isCut && entries.length < limit; length *= FURTHER) {
    const start = Math.max(0, upTo - length);
    let stretch: readonly Entry[] = [];
    for (let after = start; after < upTo;) {
      const page = await read({ after, upTo, limit: MAX_LIMIT, maxBytes: PAGE_BYTES });
      const kept = lastOf([...stretch, ...page.entries], limit);
      isCut ||= kept.length < stretch.length + page.entries.length;
      stretch = kept;
      if (page.through <= after) break;
      after = page.through;
    }
    const kept = lastOf([...stretch, ...entries], limit);
    isCut ||= kept.length < stretch.length + entries.length;
    entries = kept;
    upTo = start;
  }
  const [first] = entries;
  const next = isCut && first !== undefined ? first.seq : upTo + 1;
  const values = valuesOf(projection, entries);
  return isCut || upTo > 0 ? { values, next_before_seq: next } : { values };
}

/** The last of these, so many at most, and no more than a page weighs but for a single one. */
function lastOf(entries: readonly Entry[], limit: number): readonly Entry[] {
  let from = entries.length;
  for (let bytes = 0; from > 0 && entries.length - from < limit; from--) {
    bytes += entries[from - 1]?.body.byteLength ?? 0;
    if (bytes > PAGE_BYTES && from < entries.length) break;
  }
  return entries.slice(from);
}

function valuesOf(projection: Projection, entries: readonly Entry[]): ChannelPage["values"] {
  return entries.flatMap((entry) => {
    const parsed = projection.namespaces.read(entry);
    if (!("update" in parsed)) return [];
    const { seq, time, key, json } = parsed.update;
    return [{ seq, time, ...(key === "" ? {} : { key }), payload: JSON.parse(json) }];
  });
}
