import type { Scope, TaskNames } from "../access/scope.ts";
import { encodeJson } from "../protocol/codec.ts";
import type { ProgressData, ServerFrame, TaskStatusData } from "../protocol/server_frames.ts";
import type { Change, TaskState } from "../task/fold.ts";
import type { Pace } from "../task/pace.ts";
import { isTerminal, progressData, statusData, statusOf } from "../task/task.ts";
import type { TaskEvent } from "../task/worker_event.ts";

/** A frame by which a value of a channel is told. */
export type ChannelFrame = FrameOf<"data_update" | "strategy_update" | "channel_update">;

type FrameOf<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;

/** A frame that is encoded at most once, when the first who wants it asks. */
export interface Prepared<F extends ServerFrame = ServerFrame> {
  readonly frame: F;
  bytes?: Uint8Array;
}

/**
 * What one event of the log has to tell its watchers: a `task_progress` frame, a `task_status` frame, or both.
 * Where it has both, the progress frame goes first and has no `seq`, so that a cursor taken from the last `seq`
 * seen can never skip the status.
 */
export type Delivery = {
  readonly seq: number;
  /** The task; or the topic of a channel, of which this is a value. */
  readonly taskId: string;
  /** What is merged into the newest of it, where that is not the task. */
  readonly key?: string;
  readonly tags: readonly string[];
  /** Those that it had until then, where they were others: who saw it by one of them may see it no more. */
  readonly formerTags?: readonly string[];
  /** Retention took what told its tags: they are a guess, by which nobody sees it. */
  readonly isGuess?: boolean;
  /** The task that the channel is about, by the tags that it had by then: who could not see that gets nothing of this. */
  readonly about?: TaskNames;
  /** Whether the task ended with this event: progress before it is not merged with progress after it. */
  readonly terminal: boolean;
  /** When it happened by the worker's clock, else when it was appended; ms since the epoch. */
  readonly atMs: number;
  /** What it is taken to weigh in memory, its encoded frames included; in bytes. */
  readonly bytes: number;
  /** What may be merged; of a channel, its value. */
  readonly progress: Prepared<FrameOf<"task_progress"> | ChannelFrame> | undefined;
  readonly status: Prepared<FrameOf<"task_status">> | undefined;
};

/**
 * The delivery of `event`, which made `change` of `before` and left the task in `state`; undefined when there is nothing to
 * tell.
 */
export function deliveryOf(
  event: TaskEvent,
  { before, state, isGuess = false }: {
    readonly before: TaskState | undefined;
    readonly state: TaskState;
    readonly isGuess?: boolean;
  },
  change: Change,
  pace: Pace | undefined,
): Delivery | undefined {
  if (!change.progress && !change.status) return undefined;
  const { seq, time } = event;
  const data = change.progress ? progressData(state, pace) : undefined;
  const frame = change.status ? statusFrame(state, pace, seq, time) : undefined;
  return {
    seq,
    taskId: state.id,
    tags: tagsOf(state),
    ...formerTags(event, before, state),
    ...(isGuess ? { isGuess } : {}),
    terminal: change.status && isTerminal(statusOf(state)),
    atMs: event.body.at ?? event.time,
    bytes: OVERHEAD_BYTES.delivery +
      (data === undefined ? 0 : OVERHEAD_BYTES.progress + progressBytes(data)) +
      (frame === undefined ? 0 : OVERHEAD_BYTES.status + statusBytes(frame.data)),
    progress: data && new PreparedProgress(state.id, data, seq, time, !change.status),
    status: frame && { frame },
  };
}

function formerTags(
  { kind }: TaskEvent,
  before: TaskState | undefined,
  state: TaskState,
): Pick<Delivery, "formerTags"> {
  if (kind !== "created" || before === undefined) return {};
  const former = tagsOf(before);
  const tags = tagsOf(state);
  return former.some((tag) => !tags.includes(tag)) ? { formerTags: former } : {};
}

/** Whether a delivery is for whoever may see the tasks of `scope`. Who holds a channel that is about no task may see all of it. */
export function isSeen({ taskId, tags, isGuess, key, about }: Delivery, scope: Scope): boolean {
  if (key !== undefined) return about === undefined || scope.sees(about);
  return scope.sees({ taskId, tags: isGuess === true ? [] : tags });
}

/** Whether whoever may see the tasks of `scope` may see this one no more, from this delivery on. */
export function isLost(delivery: Delivery, scope: Scope): boolean {
  const { taskId, formerTags } = delivery;
  return formerTags !== undefined && scope.sees({ taskId, tags: formerTags }) && !isSeen(delivery, scope);
}

/** A `task_progress` frame that is but its counters until it is asked for: most are merged away or watched by nobody. */
class PreparedProgress implements Prepared<FrameOf<"task_progress">> {
  readonly #taskId: string;
  readonly #progress: ProgressData;
  readonly #seq: number;
  readonly #timestamp: number;
  readonly #positioned: boolean;
  bytes?: Uint8Array;

  constructor(
    taskId: string,
    progress: ProgressData,
    seq: number,
    timestamp: number,
    positioned: boolean,
  ) {
    this.#taskId = taskId;
    this.#progress = progress;
    this.#seq = seq;
    this.#timestamp = timestamp;
    this.#positioned = positioned;
  }

  get frame(): FrameOf<"task_progress"> {
    return framed(this.#taskId, this.#progress, this.#seq, this.#timestamp, this.#positioned);
  }
}

/** Objects, slots, and the fixed part of each frame with its JSON (measured: 335 and 554 bytes before that is made). */
const OVERHEAD_BYTES = { delivery: 200, progress: 600, status: 1_000 };
/** A character is held as a string and as JSON, which may escape it. */
const CHARACTER_BYTES = 3;
const VALUE_BYTES = 16;

function progressBytes({ current, status }: ProgressData): number {
  return CHARACTER_BYTES * ((current?.length ?? 0) + (status?.length ?? 0));
}

function statusBytes({ name, reason, error, result, progress }: TaskStatusData): number {
  const texts = (name?.length ?? 0) + (reason?.length ?? 0) + (error?.message.length ?? 0);
  return CHARACTER_BYTES * texts + valueBytes(result) + progressBytes(progress);
}

/** What a value of JSON weighs. Recursive: what workers send nests 64 deep at most. */
function valueBytes(value: unknown): number {
  if (typeof value === "string") return VALUE_BYTES + CHARACTER_BYTES * value.length;
  if (typeof value !== "object" || value === null) return VALUE_BYTES;
  let bytes = VALUE_BYTES;
  for (const [key, inner] of Object.entries(value)) bytes += CHARACTER_BYTES * key.length + valueBytes(inner);
  return bytes;
}

/** The tags of a task. */
export function tagsOf(state: TaskState): readonly string[] {
  return state.greatest.created?.body.tags ?? [];
}

/** What a task is known by. */
export function namesOf(state: TaskState): TaskNames {
  return { taskId: state.id, tags: tagsOf(state) };
}

/** A `task_progress` frame as of `seq`, which it carries where `positioned`. */
export function progressFrame(
  state: TaskState,
  pace: Pace | undefined,
  seq: number,
  timestamp: number,
  positioned: boolean,
): FrameOf<"task_progress"> {
  return framed(state.id, progressData(state, pace), seq, timestamp, positioned);
}

function framed(
  taskId: string,
  progress: ProgressData,
  seq: number,
  timestamp: number,
  positioned: boolean,
): FrameOf<"task_progress"> {
  const data = { task_id: taskId, progress };
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
