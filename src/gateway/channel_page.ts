import type { Scope } from "../access/scope.ts";
import type { Entry } from "../log/event_log.ts";
import type { ChannelPage, ChannelQuery } from "../plugins/plugin.ts";
import type { Projection } from "../projection/projection.ts";
import type { Turns } from "../projection/turns.ts";
import type { Stretch } from "../projection/whose.ts";
import { type ChannelTopic, parseTopic } from "../protocol/topics.ts";

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
/** A task may have been somebody's again and again; a page looks through so many such times. */
const STRETCHES_AT_ONCE = 16;

/**
 * A page of the values of a channel that the log keeps; of one about a task those that came while it could be seen by whoever asks.
 * Each read of the log waits for its turn among all that read the past. Rejects with a RangeError where `topic` is of none, and with
 * the signal's reason.
 */
export async function readChannel(
  { projection, turns }: ChannelSource,
  topic: string,
  query: ChannelQuery,
): Promise<ChannelPage> {
  const parsed = parseTopic(topic);
  if (parsed?.kind !== "channel") throw new RangeError(`${JSON.stringify(topic)} is no channel`);
  const limit = Math.min(MAX_LIMIT, Math.max(1, Math.floor(query.limit)));
  // What comes from now on may be another's: it is for the next page.
  const { head } = projection;
  const from = "beforeSeq" in query ? 0 : query.afterSeq + 1;
  const read: ReadRecords = (page) =>
    turns.run(async () => {
      query.signal?.throwIfAborted(); // nobody waits for it any more
      return await projection.readTask(topic, page);
    });
  const scope = query.asker?.access.scope;
  const stretches = await stretchesOf({ projection, turns }, parsed, scope, { from, head });
  return "beforeSeq" in query
    ? await readBack(projection, read, query.beforeSeq, limit, stretches)
    : await readOn(projection, read, query.afterSeq, limit, stretches);
}

/** The parts of the stream from `from` to `head` that whoever may see the tasks of `scope` may have values of. */
async function stretchesOf(
  { projection, turns }: ChannelSource,
  { taskId }: ChannelTopic,
  scope: Scope | undefined,
  { from, head }: { readonly from: number; readonly head: number },
): Promise<readonly Stretch[]> {
  const isAll = taskId === undefined || scope === undefined || scope.sees({ taskId, tags: [] });
  if (isAll) return [{ after: 0, through: head }];
  const whose = (await turns.run(() => projection.whose(new Map([[taskId, from]])))).get(taskId);
  return whose?.seenBy(scope, head) ?? [];
}

async function readOn(
  projection: Projection,
  read: ReadRecords,
  afterSeq: number,
  limit: number,
  stretches: readonly Stretch[],
): Promise<ChannelPage> {
  const left = stretches.filter(({ through }) => through > afterSeq).slice(0, STRETCHES_AT_ONCE + 1);
  for (const [i, stretch] of left.entries()) {
    const after = Math.max(afterSeq, stretch.after);
    if (i === STRETCHES_AT_ONCE) return { values: [], next_after_seq: after };
    const bounds = { after, upTo: stretch.through, limit, maxBytes: PAGE_BYTES };
    const { entries, through } = await read(bounds);
    const values = valuesOf(projection, entries);
    const isLast = through >= stretch.through && i === left.length - 1;
    if (isLast) return { values };
    if (values.length > 0 || through < stretch.through) return { values, next_after_seq: through };
  }
  return { values: [] };
}

async function readBack(
  projection: Projection,
  read: ReadRecords,
  beforeSeq: number,
  limit: number,
  stretches: readonly Stretch[],
): Promise<ChannelPage> {
  const left = stretches.filter(({ after }) => after < beforeSeq - 1).reverse().slice(
    0,
    STRETCHES_AT_ONCE + 1,
  );
  for (const [i, { after, through }] of left.entries()) {
    const upTo = Math.min(beforeSeq - 1, through);
    if (i === STRETCHES_AT_ONCE) return { values: [], next_before_seq: upTo + 1 };
    const { entries, rest } = await lastWithin(read, { after, through: upTo }, limit);
    const values = valuesOf(projection, entries);
    const next = rest ?? (i === left.length - 1 ? undefined : after + 1);
    if (next === undefined) return { values };
    if (values.length > 0 || rest !== undefined) return { values, next_before_seq: next };
  }
  return { values: [] };
}

/**
 * The last values of a stretch; `rest` is before which position there may be more of it. A log is read forward alone, so parts of it
 * are, further and further back: where the channel has most of the log the first has enough, and where it has little of it few
 * parts reach far.
 */
async function lastWithin(
  read: ReadRecords,
  stretch: Stretch,
  limit: number,
): Promise<{ readonly entries: readonly Entry[]; readonly rest?: number }> {
  let upTo = stretch.through;
  let entries: readonly Entry[] = [];
  let isCut = false;
  for (let length = limit; upTo > stretch.after && !isCut && entries.length < limit; length *= FURTHER) {
    const start = Math.max(stretch.after, upTo - length);
    let part: readonly Entry[] = [];
    for (let after = start; after < upTo;) {
      const page = await read({ after, upTo, limit: MAX_LIMIT, maxBytes: PAGE_BYTES });
      const kept = lastOf([...part, ...page.entries], limit);
      isCut ||= kept.length < part.length + page.entries.length;
      part = kept;
      if (page.through <= after) break;
      after = page.through;
    }
    const kept = lastOf([...part, ...entries], limit);
    isCut ||= kept.length < part.length + entries.length;
    entries = kept;
    upTo = start;
  }
  const [first] = entries;
  if (!isCut && upTo <= stretch.after) return { entries };
  return { entries, rest: isCut && first !== undefined ? first.seq : upTo + 1 };
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
