import * as v from "valibot";
import { ReplayMode, Seq, TASK_STATUSES } from "./client_frames.ts";
import { ERROR_CODES, type ErrorCode } from "./error_codes.ts";
import { isClientId, isTag, isTaskId } from "./names.ts";

const Milliseconds = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Count = v.pipe(v.number(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const Id = v.pipe(v.string(), v.minLength(1), v.maxLength(256));
const Epoch = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const TaskId = v.pipe(v.string(), v.check(isTaskId, "must be a task id"));
const Topics = v.array(v.pipe(v.string(), v.minLength(1)));
const Time = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/, "must be an RFC 3339 time in UTC"),
);

/** Whether a number has two decimals at most. */
export function hasTwoDecimals(share: number): boolean {
  return share === Math.round(share * 100) / 100;
}

/** A task's counters, strictly: see `ProgressData`. */
export const ProgressDataSchema = v.strictObject({
  total: v.nullable(Count),
  completed: Count,
  failed: Count,
  current: v.nullable(v.string()),
  percentage: v.nullable(
    v.pipe(
      v.number(),
      v.minValue(0),
      v.maxValue(100),
      v.check(hasTwoDecimals, "must have two decimals at most"),
    ),
  ),
  status: v.nullable(v.string()),
  attempt: v.pipe(Whole, v.minValue(1)),
  rate: v.nullable(v.pipe(v.number(), v.finite(), v.minValue(0))),
  eta_ms: v.nullable(Milliseconds),
});

/** Some of its members. */
const ChangedProgress = v.strictObject({
  total: v.exactOptional(ProgressDataSchema.entries.total),
  completed: v.exactOptional(ProgressDataSchema.entries.completed),
  failed: v.exactOptional(ProgressDataSchema.entries.failed),
  current: v.exactOptional(ProgressDataSchema.entries.current),
  percentage: v.exactOptional(ProgressDataSchema.entries.percentage),
  status: v.exactOptional(ProgressDataSchema.entries.status),
  attempt: v.exactOptional(ProgressDataSchema.entries.attempt),
  rate: v.exactOptional(ProgressDataSchema.entries.rate),
  eta_ms: v.exactOptional(ProgressDataSchema.entries.eta_ms),
});

/** A whole task, strictly: see `TaskStatusData`. */
export const TaskStatusDataSchema = v.strictObject({
  task_id: TaskId,
  status: v.picklist(TASK_STATUSES),
  start_time: v.nullable(Time),
  end_time: v.nullable(Time),
  attempt: v.pipe(Whole, v.minValue(1)),
  name: v.nullable(v.string()),
  type: v.nullable(v.string()),
  tags: v.array(v.pipe(v.string(), v.check(isTag, "must be a tag"))),
  parent_id: v.nullable(TaskId),
  reason: v.nullable(v.string()),
  error: v.nullable(v.strictObject({ message: v.string(), code: v.exactOptional(v.string()) })),
  result: v.unknown(),
  progress: ProgressDataSchema,
  created_time: v.nullable(Time),
  liveness: v.nullable(v.picklist(["live", "stale"])),
});

/** As of when an answer about the past is, strictly. */
export const AsOfSchema = v.strictObject({ epoch: Epoch, seq: Seq, truncated: v.boolean() });

/** A task as an answer tells it, strictly: `at` where it was asked how the task was. */
export const TaskAnswerSchema = v.strictObject({
  ...TaskStatusDataSchema.entries,
  at: v.exactOptional(AsOfSchema),
});

/** A page of a task's events, strictly: the data of `task_history`. */
export const TaskHistorySchema = v.strictObject({
  task_id: TaskId,
  events: v.array(v.strictObject({ seq: Seq, time: Time, kind: v.string(), body: v.unknown() })),
  next_after_seq: v.exactOptional(Seq),
});

/** A page of tasks, strictly: the data of a `task_list` that answers. */
export const TaskPageSchema = v.strictObject({
  tasks: v.array(TaskStatusDataSchema),
  total: Whole,
  next_page: v.exactOptional(v.pipe(Whole, v.minValue(2))),
  limit: v.exactOptional(v.pipe(Whole, v.minValue(1))),
  at: v.exactOptional(AsOfSchema),
});

/** What a request to cancel is answered, strictly. */
export const CancelRequestedSchema = v.strictObject({ task_id: TaskId, seq: Seq });

/** A value of a channel, strictly. */
export const ChannelDataSchema = v.strictObject({
  topic: v.pipe(v.string(), v.minLength(1)),
  key: v.exactOptional(v.pipe(v.string(), v.minLength(1))),
  payload: v.unknown(),
});

const SubscribedData = v.strictObject({
  topics: Topics,
  epoch: Epoch,
  seq: Seq,
  recovered: v.exactOptional(v.boolean()),
  replay: v.exactOptional(v.strictObject({ mode: ReplayMode, truncated: v.boolean() })),
});

const WelcomeData = v.strictObject({
  connection_id: v.pipe(v.string(), v.minLength(1)),
  client_id: v.pipe(v.string(), v.check(isClientId, "must be a client id")),
  server_time: Milliseconds,
  epoch: Epoch,
  seq: Seq,
  heartbeat: v.strictObject({ interval_ms: Milliseconds, timeout_ms: Milliseconds }),
  limits: v.strictObject({
    max_message_bytes: Whole,
    max_topics: Whole,
    messages_per_second: Whole,
    messages_burst: Whole,
  }),
  topics: Topics,
  expires_at: v.exactOptional(Milliseconds),
  partition: v.exactOptional(Whole),
  partitions: v.exactOptional(v.pipe(Whole, v.minValue(1))),
});

const GapData = v.strictObject({
  topics: Topics,
  missed_from: Seq,
  missed_to: Seq,
  reason: v.picklist(["retention", "epoch"]),
  epoch: Epoch,
});

function frame<const T extends string, D extends v.GenericSchema>(type: T, data: D) {
  return v.strictObject({
    type: v.literal(type),
    id: Id,
    timestamp: Milliseconds,
    data,
    seq: v.exactOptional(Seq),
    snapshot: v.exactOptional(v.literal(true)),
  });
}

// Object.keys forgets that the names of an object literal are its keys.
const codes = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];

/** What went wrong, strictly: see `ErrorBody`. */
export const ErrorBodySchema = v.strictObject({
  code: v.picklist(codes),
  message: v.pipe(v.string(), v.minLength(1)),
  details: v.record(v.string(), v.unknown()),
});

/**
 * A frame from server to client, strictly: a member too many is an error. Its output is the type `ServerFrame`.
 * What is sent is not checked against it; it is for those who receive.
 */
export const ServerFrameSchema = v.variant("type", [
  frame("welcome", WelcomeData),
  frame("authenticated", v.strictObject({ expires_at: v.exactOptional(Milliseconds) })),
  frame("subscribed", SubscribedData),
  frame("unsubscribed", v.strictObject({ topics: Topics, epoch: Epoch, seq: Seq })),
  frame("pong", v.strictObject({ server_time: Milliseconds, seq: v.exactOptional(Seq) })),
  frame("task_progress", v.strictObject({ task_id: TaskId, progress: ProgressDataSchema })),
  frame(
    "progress_delta",
    v.strictObject({ task_id: TaskId, base: Seq, progress: ChangedProgress }),
  ),
  frame("task_status", TaskAnswerSchema),
  frame(
    "task_list",
    v.union([
      TaskPageSchema,
      v.strictObject({ tasks: v.array(TaskStatusDataSchema), removed: v.array(TaskId) }),
    ]),
  ),
  frame("task_history", TaskHistorySchema),
  frame("cancel_requested", CancelRequestedSchema),
  frame("data_update", ChannelDataSchema),
  frame("strategy_update", ChannelDataSchema),
  frame("channel_update", ChannelDataSchema),
  frame("result", v.record(v.string(), v.unknown())),
  frame("published", v.strictObject({ topic: v.string(), seq: Seq })),
  frame("caught_up", v.strictObject({ topics: Topics, seq: Seq })),
  frame("gap", GapData),
  frame(
    "drain",
    v.strictObject({ reconnect_after_ms: Milliseconds, seq: v.exactOptional(Seq), epoch: Epoch }),
  ),
  v.strictObject({
    type: v.literal("error"),
    id: Id,
    timestamp: Milliseconds,
    error: ErrorBodySchema,
  }),
]);

/** Several frames in one message, where that was negotiated. */
export const BatchFrameSchema = v.strictObject({
  type: v.literal("batch"),
  id: Id,
  timestamp: Milliseconds,
  data: v.strictObject({ frames: v.pipe(v.array(ServerFrameSchema), v.minLength(2)) }),
});

/** What one message from the server holds. */
export const ServerMessageSchema = v.union([ServerFrameSchema, BatchFrameSchema]);
