import { encodeJson } from "../protocol/codec.ts";
import type { ServerFrame } from "../protocol/server_frames.ts";
import type { Change, TaskState } from "../task/fold.ts";
import type { Pace } from "../task/pace.ts";
import { isTerminal, progressData, statusData, statusOf } from "../task/task.ts";
import type { TaskEvent } from "../task/worker_event.ts";

type FrameOf<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;

/** A frame that is encoded at most once, when the first who wants it asks. */
export type Prepared<F extends ServerFrame = ServerFrame> = { readonly frame: F; bytes?: Uint8Array };

/**
 * What one event of the log has to tell its watchers: a `task_progress` frame, a `task_status` frame, or both.
 * Where it has both, the progress frame goes first and has no `seq`, so that a cursor taken from the last `seq`
 * seen can never skip the status.
 */
export type Delivery = {
  readonly seq: number;
  readonly taskId: string;
  readonly tags: readonly string[];
  /** Whether the task ended with this event: progress before it is not merged with progress after it. */
  readonly terminal: boolean;
  /** When it happened by the worker's clock, else when it was appended; ms since the epoch. */
  readonly atMs: number;
  readonly progress?: Prepared<FrameOf<"task_progress">>;
  readonly status?: Prepared<FrameOf<"task_status">>;
};

/** The delivery of `event`, which made `change` and left the task in `state`; undefined when there is nothing to tell. */
export function deliveryOf(
  event: TaskEvent,
  state: TaskState,
  change: Change,
  pace: Pace | undefined,
): Delivery | undefined {
  if (!change.progress && !change.status) return undefined;
  return {
    seq: event.seq,
    taskId: state.id,
    tags: tagsOf(state),
    terminal: change.status && isTerminal(statusOf(state)),
    atMs: event.body.at ?? event.time,
    ...(change.progress
      ? { progress: { frame: progressFrame(state, pace, event.seq, event.time, !change.status) } }
      : {}),
    ...(change.status ? { status: { frame: statusFrame(state, pace, event.seq, event.time) } } : {}),
  };
}

/** The tags of a task. */
export function tagsOf(state: TaskState): readonly string[] {
  return state.greatest.created?.body.tags ?? [];
}

/** A `task_progress` frame as of `seq`, which it carries where `positioned`. */
export function progressFrame(
  state: TaskState,
  pace: Pace | undefined,
  seq: number,
  timestamp: number,
  positioned: boolean,
): FrameOf<"task_progress"> {
  const data = { task_id: state.id, progress: progressData(state, pace) };
  const frame = { type: "task_progress", id: `progress_${seq}`, timestamp, data } as const;
  return positioned ? { ...frame, seq } : frame;
}

/** A `task_status` frame as of `seq`. */
export function statusFrame(
  state: TaskState,
  pace: Pace | undefined,
  seq: number,
  timestamp: number,
): FrameOf<"task_status"> {
  return { type: "task_status", id: `status_${seq}`, timestamp, data: statusData(state, pace), seq };
}

/** The JSON of a prepared frame, encoded at the first call. */
export function payloadOf(prepared: Prepared): Uint8Array {
  return prepared.bytes ??= encodeJson(prepared.frame);
}
