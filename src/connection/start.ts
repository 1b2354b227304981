import type { Told } from "../projection/forgotten.ts";
import type { ServerData } from "../protocol/server_frames.ts";
import { LIST, type Position, type Start } from "./flow.ts";

/** `start`, or a gap: the log may have become another one while it was asked about the cursor. */
export function ofThisEpoch(start: Start, { epoch, head }: Position): Start {
  if (start.kind === "all" && start.epoch !== epoch) return { ...start, epoch, from: 0, truncated: false };
  if (start.kind !== "since" || start.epoch === epoch) return start;
  return { kind: "gap", gap: { missed_from: 1, missed_to: head, reason: "epoch" } };
}

/** How far who starts like this was told of removals, whether or not those after it are remembered. */
export function toldAt(start: Start, { head, removals }: Position): Told {
  if (start.kind === "since") return removals.toldBy(start.seq);
  const told = { at: start.kind === "all" ? start.from : Infinity, count: 0 };
  return told.at < head && removals.covers(told) ? told : { at: head, count: removals.count };
}

/** From where what starts like this is served. */
export function startOf(start: Start, position: Position): number {
  switch (start.kind) {
    case "none":
    case "latest":
    case "gap":
      return position.head;
    case "all":
      return start.from;
    case "since":
      return start.seq;
  }
}

/** What is said of how the serving of `added`, which is not empty, begins. */
export function begunBy(
  start: Start,
  added: readonly string[],
  position: Position,
): Pick<ServerData["subscribed"], "replay" | "recovered"> {
  switch (start.kind) {
    case "none":
    case "latest":
      return { replay: { mode: start.kind, truncated: false } };
    case "all":
      return { replay: { mode: "all", truncated: start.truncated } };
    case "since":
      return { recovered: !added.includes(LIST) || position.removals.covers(toldAt(start, position)) };
    case "gap":
      return { recovered: false };
  }
}
