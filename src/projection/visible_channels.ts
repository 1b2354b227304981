import type { Access } from "../access/access.ts";
import type { TaskNames } from "../access/scope.ts";
import { refusalOf } from "../access/may.ts";
import type { Refused } from "../protocol/server_frames.ts";
import type { Channels, HeldChannel } from "./channels.ts";

/** So many channels are listed, those that changed last. */
export const MAX_LISTED = 1_000;

/** A channel as it is listed; `time` is when its last value was published, RFC 3339 UTC. */
export type ListedChannel = Pick<HeldChannel, "topic" | "keys" | "seq"> & { readonly time: string };

/** The channels that `access` may follow, the one that changed last first; `total` of those that are held. */
export function visibleChannels(
  { channels, aboutOf }: {
    readonly channels: Channels;
    aboutOf(topic: string, seq: number): TaskNames | undefined;
  },
  access: Access,
): { readonly channels: readonly ListedChannel[]; readonly total: number } | Refused {
  const refused = refusalOf(access, { right: "subscribe" });
  if (refused !== undefined) return { refused };
  const listed: ListedChannel[] = [];
  let total = 0;
  for (const { topic, keys, seq, atMs } of channels.newestFirst()) {
    const about = aboutOf(topic, seq);
    if (about === undefined ? !access.scope.allows(topic) : !access.scope.sees(about)) continue;
    total++;
    if (listed.length < MAX_LISTED) listed.push({ topic, keys, seq, time: new Date(atMs).toISOString() });
  }
  return { channels: listed, total };
}
