import { channelOf, channelSpace, channelSubject } from "../channel/channel_subject.ts";
import type { ChannelUpdate } from "../channel/channel_update.ts";
import { type Namespace, retains } from "../channel/namespace.ts";
import type { Namespaces } from "../channel/namespaces.ts";
import type { Entry, EventLog } from "../log/event_log.ts";

/** Records of one subject that are read at once. */
const PAGE_RECORDS = 1_000;
const PAGE_BYTES = 4_194_304;

/**
 * The last value of each key of a channel, as the log has it now, those that changed longest ago first. A record that is no value
 * hides none: gateways that followed it passed it over.
 */
export async function lastValues(
  log: EventLog,
  topic: string,
  namespaces: Namespaces,
): Promise<readonly ChannelUpdate[]> {
  const subject = channelSubject({ topic, key: "" });
  const updates: ChannelUpdate[] = [];
  const hidden: string[] = [subject];
  for await (const entries of log.lastPerSubject(`${subject}.>`)) {
    for (const entry of entries) {
      const update = updateOf(entry, namespaces);
      if (update !== undefined) updates.push(update);
      else hidden.push(entry.subject);
    }
  }
  for (const one of hidden) updates.push(...await lastValue(log, one, { namespaces }));
  return updates.sort((a, b) => a.seq - b.seq);
}

/** Puts the last value of each key of a namespace's channels, up to where the log is followed: what is newer comes by itself. */
export async function readLasts(
  log: EventLog,
  namespace: Namespace,
  { namespaces, head, channels }: {
    readonly namespaces: Namespaces;
    readonly head: () => number;
    readonly channels: { put(update: ChannelUpdate): unknown };
  },
): Promise<void> {
  if (!retains(namespace)) return;
  const hidden: string[] = [];
  for await (const entries of log.lastPerSubject(`${channelSpace(namespace)}.>`)) {
    for (const entry of entries) {
      if (entry.seq > head()) continue;
      const update = updateOf(entry, namespaces);
      if (update !== undefined) channels.put(update);
      else hidden.push(entry.subject);
    }
  }
  for (const subject of hidden) {
    const { topic = "" } = channelOf(subject) ?? {};
    if (!namespaces.isThere(topic)) continue;
    for (const update of await lastValue(log, subject, { namespaces, upTo: head() })) channels.put(update);
  }
}

/** The last value under one subject, up to a position; none where there is none. */
export async function lastValue(
  log: EventLog,
  subject: string,
  { namespaces, upTo }: { readonly namespaces: Namespaces; readonly upTo?: number },
): Promise<readonly ChannelUpdate[]> {
  let last: ChannelUpdate | undefined;
  for (let after = 0;;) {
    const query = { subject, after, limit: PAGE_RECORDS, maxBytes: PAGE_BYTES };
    const page = await log.read(upTo === undefined ? query : { ...query, upTo });
    last = page.entries.reduce<ChannelUpdate | undefined>(
      (before, entry) => updateOf(entry, namespaces) ?? before,
      last,
    );
    if (page.through <= after || page.entries.length === 0) return last === undefined ? [] : [last];
    after = page.through;
  }
}

function updateOf(entry: Entry, namespaces: Namespaces): ChannelUpdate | undefined {
  const parsed = namespaces.read(entry);
  return "update" in parsed ? parsed.update : undefined;
}
