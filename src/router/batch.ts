import { frameType } from "../projection/channel_delivery.ts";
import { payloadOf } from "../projection/delivery.ts";
import { type Codec, encodeJson, type Payload } from "../protocol/codec.ts";
import type { ServerData, ServerFrame, TaskStatusData } from "../protocol/server_frames.ts";
import { conflate, type Part } from "./conflation.ts";

/** One flush, or one page, ready for the socket. */
export type Batch = {
  readonly bytes: Uint8Array;
  readonly frames: number;
  /** When the oldest event of it happened (ms since the epoch); undefined when nothing is in it. */
  readonly oldestAtMs?: number;
};

/** Merges, encodes and packs `parts`. A `task_list` frame goes first, with a `seq` only where it is alone. */
export function batchOf(
  parts: readonly Part[],
  codec: Codec,
  nowMs: number,
  removed: readonly string[] = [],
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
      const type = delivery.key === undefined ? "task_progress" : frameType(taskId);
      payloads.push({ bytes: payloadOf(delivery.progress), type, cursor });
    }
    if (status && delivery.status !== undefined) {
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

function listFrame(
  data: Extract<ServerData["task_list"], { removed: unknown }>,
  seq: number | undefined,
  nowMs: number,
): ServerFrame {
  const frame = { type: "task_list", id: `list_${seq ?? nowMs}`, timestamp: nowMs, data } as const;
  return seq === undefined ? frame : { ...frame, seq };
}
