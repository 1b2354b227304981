import * as v from "valibot";
import { ReplayMode, Seq, TASK_STATUSES } from "./client_frames.ts";
import { ERROR_CODES, type ErrorCode } from "./error_codes.ts";
import { ClientId, isTag, isTaskId } from "./names.ts";

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

const Progress = v.strictObject({
  total: v.nullable(Count),
  completed: Count,
  failed: Count,
  current: v.nullable(v.string()),
  percentage: v.nullable(
    v.pipe(
      v.number(),
      v.minValue(0),
      v.maxValue(100),
      v.check((share) => share === Math.round(share * 100) / 100, "must have two decimals at most"),
    ),
  ),
  status: v.nullable(v.string()),
  attempt: v.pipe(Whole, v.minValue(1)),
  rate: v.nullable(v.pipe(v.number(), v.finite(), v.minValue(0))),
  eta_ms: v.nullable(Milliseconds),
});

/** Some of its members. */
const ChangedProgress = v.strictObject({
  total: v.exactOptional(Progress.entries.total),
  completed: v.exactOptional(Progress.entries.completed),
  failed: v.exactOptional(Progress.entries.failed),
  current: v.exactOptional(Progress.entries.current),
  percentage: v.exactOptional(Progress.entries.percentage),
  status: v.exactOptional(Progress.entries.status),
  attempt: v.exactOptional(Progress.entries.attempt),
  rate: v.exactOptional(Progress.entries.rate),
  eta_ms: v.exactOptional(Progress.entries.eta_ms),
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
  progress: Progress,
  created_time: v.nullable(Time),
  liveness: v.nullable(v.picklist(["live", "stale"])),
});

const AsOf = v.strictObject({ epoch: Epoch, seq: Seq, truncated: v.boolean() });

/** A task as an answer tells it, strictly: `at` where it was asked how the task was. */
export const TaskAnswerSchema = v.strictObject({
  ...TaskStatusDataSchema.entries,
  at: v.exactOptional(AsOf),
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
  at: v.exactOptional(AsOf),
});

/** What a request to cancel is answered, strictly. */
export const CancelRequestedSchema = v.strictObject({ task_id: TaskId, seq: Seq });

const ChannelData = v.strictObject({
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
  client_id: v.pipe(v.string(), v.check((id) => v.is(ClientId, id), "must be a client id")),
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
  frame("task_progress", v.strictObject({ task_id: TaskId, progress: Progress })),
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
  frame("data_update", ChannelData),
  frame("strategy_update", ChannelData),
  frame("channel_update", ChannelData),
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
    error: v.strictObject({
      code: v.picklist(codes),
      message: v.pipe(v.string(), v.minLength(1)),
      details: v.record(v.string(), v.unknown()),
    }),
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
