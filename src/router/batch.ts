import { frameType } from "../projection/channel_delivery.ts";
import { type Delivery, payloadOf } from "../projection/delivery.ts";
import { type Codec, encodeJson, type Payload } from "../protocol/codec.ts";
import type { ServerData, ServerFrame, TaskStatusData } from "../protocol/server_frames.ts";
import { conflate, type Part } from "./conflation.ts";
import type { Deltas } from "./deltas.ts";

/** One flush, or one page, ready for the socket. */
export type Batch = {
  readonly bytes: Uint8Array;
  readonly frames: number;
  /** When the oldest event of it happened (ms since the epoch); undefined when nothing is in it. */
  readonly oldestAtMs?: number;
};

/** What else goes into a batch, and how. */
export type BatchOptions = {
  /** Tasks that the list is to lose. */
  readonly removed?: readonly string[];
  /** What its readers were told last of each task's counters. Default: they are told them whole. */
  readonly deltas?: Deltas | undefined;
};

/**
 * Merges, encodes and packs `parts`. A `task_list` frame goes first, with a `seq` only where it is alone. With `deltas` progress is
 * told by what changed since.
 */
export function batchOf(
  parts: readonly Part[],
  codec: Codec,
  nowMs: number,
  { removed = [], deltas }: BatchOptions = {},
): Batch {
  const kept = conflate(parts);
  const payloads: Payload[] = [];
  const changed = new Map<string, TaskStatusData>();
  const lost = new Set<string>();
  let oldestAtMs: number | undefined;
  for (const { delivery, progress, status, list, lost: isLost } of kept) {
    const { seq, taskId } = delivery;
    if (isLost === true) {
      changed.delete(taskId);
      lost.add(taskId);
    } else if (list && delivery.status !== undefined) {
      changed.set(taskId, delivery.status.frame.data);
      lost.delete(taskId);
    }
    if (progress && delivery.progress !== undefined) {
      const cursor = delivery.status === undefined ? seq : undefined; // see Delivery
      payloads.push({ ...progressOf(delivery, delivery.progress, deltas), cursor });
    }
    if (status && delivery.status !== undefined) {
      deltas?.told(delivery.status.frame, seq, delivery.terminal);
      payloads.push({ bytes: payloadOf(delivery.status), type: "task_status", cursor: seq });
    }
    if (oldestAtMs === undefined || delivery.atMs < oldestAtMs) oldestAtMs = delivery.atMs;
  }
  for (const taskId of removed) lost.add(taskId);
  if (changed.size > 0 || lost.size > 0) {
    const data = { tasks: [...changed.values()], removed: [...lost] };
    const seq = payloads.length === 0 ? kept.at(-1)?.delivery.seq : undefined;
    const bytes = encodeJson(listFrame(data, seq, nowMs));
    payloads.unshift({ bytes, type: "task_list", cursor: seq });
  }
  return {
    bytes: codec.pack(payloads, nowMs),
    frames: payloads.length,
    ...(oldestAtMs === undefined ? {} : { oldestAtMs }),
  };
}

/** What may be merged: progress, as what changed of it where that will do, or a value of a channel. */
function progressOf(
  { taskId, key, seq }: Delivery,
  progress: NonNullable<Delivery["progress"]>,
  deltas: Deltas | undefined,
): Pick<Payload, "bytes" | "type"> {
  const whole = () => payloadOf(progress);
  if (key !== undefined) return { bytes: whole(), type: frameType(taskId) };
  const frame = deltas === undefined ? undefined : progress.frame;
  if (deltas === undefined || frame?.type !== "task_progress") {
    return { bytes: whole(), type: "task_progress" };
  }
  const shrunk = deltas.shrink(frame, seq);
  return shrunk === frame
    ? { bytes: whole(), type: "task_progress" }
    : { bytes: encodeJson(shrunk), type: "progress_delta" };
}

function listFrame(
  data: Extract<ServerData["task_list"], { removed: unknown }>,
  seq: number | undefined,
  nowMs: number,
): ServerFrame {
  const frame = { type: "task_list", id: `list_${seq ?? nowMs}`, timestamp: nowMs, data } as const;
  return seq === undefined ? frame : { ...frame, seq };
}
