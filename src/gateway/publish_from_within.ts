import * as v from "valibot";
import { EVERYBODY } from "../access/access.ts";
import { LogError } from "../log/event_log.ts";
import type { Publishing } from "../projection/publishing.ts";
import { brokenRule, ChannelPublication } from "../protocol/client_frames.ts";

/**
 * Publishes what a module of this process gives, by the rules for everybody else's; it may publish to every channel. Rejects with
 * a TypeError that names the rule it breaks, or with a LogError.
 */
export async function publishFromWithin(
  publishing: Publishing | undefined,
  given: { readonly topic: string; readonly payload: unknown; readonly key: string | undefined },
): Promise<{ readonly seq: number }> {
  if (publishing === undefined) throw new LogError("closed", "The gateway has no log");
  const parsed = v.safeParse(ChannelPublication, given, { abortEarly: true });
  if (!parsed.success) throw new TypeError(brokenRule(parsed.issues));
  const told = await publishing.publish(EVERYBODY, parsed.output);
  if ("refused" in told) throw new TypeError(told.refused.message);
  return { seq: told.seq };
}
