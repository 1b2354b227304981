import type { Access } from "../access/access.ts";
import { refusalOf } from "../access/may.ts";
import type { Refused } from "../protocol/server_frames.ts";
import { taskOf } from "../protocol/topics.ts";
import type { Channels, HeldChannel } from "./channels.ts";

/** So many channels are listed, those that changed last. */
export const MAX_LISTED = 1_000;

/** A channel as it is listed; `time` is when its last value was published, RFC 3339 UTC. */
export type ListedChannel = Pick<HeldChannel, "topic" | "keys" | "seq"> & { readonly time: string };

/**
 * The channels that `access` may follow, and of those about tasks the ones whose last value it could see; the one that changed last
 * first, `total` of those that are held. Rejects with a LogError where that has to be asked of the log.
 */
export async function visibleChannels(
  projection: {
    readonly channels: Channels;
    settle(topics: Iterable<string>): Promise<void> | undefined;
  },
  access: Access,
): Promise<{ readonly channels: readonly ListedChannel[]; readonly total: number } | Refused> {
  const refused = refusalOf(access, { right: "subscribe" });
  if (refused !== undefined) return { refused };
  const { channels } = projection;
  if (!access.scope.hasEveryTask) await projection.settle(channels.newestFirst().map(({ topic }) => topic));
  const listed: ListedChannel[] = [];
  let total = 0;
  for (const { topic, keys, seq, atMs, about } of channels.newestFirst()) {
    const taskId = taskOf(topic);
    const isSeen = taskId === undefined
      ? access.scope.allows(topic)
      : access.scope.sees(about ?? { taskId, tags: [] });
    if (!isSeen) continue;
    total++;
    if (listed.length < MAX_LISTED) listed.push({ topic, keys, seq, time: new Date(atMs).toISOString() });
  }
  return { channels: listed, total };
}
