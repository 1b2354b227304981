import type { Delivery } from "../projection/delivery.ts";
import { topicsOf } from "../protocol/topics.ts";
import type { Part } from "./conflation.ts";

/** Topics as printed, each with the position from which on it is to be served: events after it. */
export type Held = ReadonlyMap<string, number>;

/** What of `delivery` whoever holds `held` is to get; undefined where nothing. `whole` are topics not to be merged. */
export function partFor(delivery: Delivery, held: Held, whole?: ReadonlySet<string>): Part | undefined {
  const progress = delivery.progress === undefined
    ? []
    : matching(topicsOf("progress", delivery.taskId, delivery.tags), delivery.seq, held);
  const status = delivery.status === undefined
    ? []
    : matching(topicsOf("status", delivery.taskId, delivery.tags), delivery.seq, held);
  const list = delivery.status !== undefined && (held.get("task:list") ?? Infinity) < delivery.seq;
  if (progress.length === 0 && status.length === 0 && !list) return undefined;
  return {
    delivery,
    progress: progress.length > 0,
    status: status.length > 0,
    list,
    whole: whole !== undefined && progress.some((topic) => whole.has(topic)),
  };
}

function matching(topics: readonly string[], seq: number, held: Held): string[] {
  return topics.filter((topic) => (held.get(topic) ?? Infinity) < seq);
}
