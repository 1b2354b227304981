import * as v from "valibot";
import { isChannelKey, Tag, TaskId } from "./names.ts";

/** A request's id, which its reply carries back: 1–128 characters. */
export const FrameId = v.pipe(v.string(), v.minLength(1), v.maxLength(128));

/** Whether a value is an object in JSON's sense; to valibot an array is a record too. */
export function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What every client frame has in common. Extra members are ignored; `data` is checked by its type's own schema. */
export const ClientEnvelope = v.object({
  type: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  id: FrameId,
  timestamp: v.optional(v.number()),
  data: v.optional(
    v.pipe(v.custom<object>(isObject, "must be an object"), v.record(v.string(), v.unknown())),
    {},
  ),
});
/** See {@link ClientEnvelope}. */
export type ClientFrame = v.InferOutput<typeof ClientEnvelope>;

/** A position in the stream: 0 (before everything) to 2⁵³−1. */
export const Seq = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Where a client left off: a position, and the life of the stream it is a position in. */
export const Cursor = v.object({ epoch: v.pipe(v.string(), v.minLength(1), v.maxLength(64)), seq: Seq });
/** See {@link Cursor}. */
export type Cursor = v.InferOutput<typeof Cursor>;

/** A moment: milliseconds since the epoch, or RFC 3339 text, which becomes them. */
const Moment = v.union([
  v.pipe(v.number(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER)),
  v.pipe(v.string(), v.isoTimestamp(), v.transform((text) => Date.parse(text)), v.number(), v.minValue(0)),
]);

/**
 * Where in the past: at a position, in the life of the stream that `epoch` names where it is given, or at a time; one of
 * the two.
 */
export const At = v.union([
  v.object({
    seq: Seq,
    epoch: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(64))),
    time: v.optional(v.never()),
  }),
  v.object({ time: Moment, seq: v.optional(v.never()), epoch: v.optional(v.never()) }),
], "must be {seq, epoch?}, or {time}: RFC 3339 or milliseconds since the epoch");
/** See {@link At}. */
export type At = v.InferOutput<typeof At>;

/** What a subscription starts with: the present state, nothing, or the whole retained history. */
export const ReplayMode = v.picklist(["latest", "none", "all"]);
/** See {@link ReplayMode}. */
export type ReplayMode = v.InferOutput<typeof ReplayMode>;

const Topics = v.pipe(v.array(v.pipe(v.string(), v.maxLength(512))), v.minLength(1), v.maxLength(1024));

const Limit = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 100);

/** Every status a task can have. The last three are terminal. */
export const TASK_STATUSES = [
  "pending",
  "running",
  "paused",
  "cancelling",
  "retrying",
  "failed",
  "cancelled",
  "completed",
] as const;
/** One of {@link TASK_STATUSES}. */
export type TaskStatus = (typeof TASK_STATUSES)[number];

/** `publish {topic, payload, key?, event_id?}`: a value to a channel, stored once for an `event_id`. */
export const ChannelPublication = v.object({
  topic: v.pipe(v.string(), v.maxLength(256)),
  payload: v.unknown(),
  key: v.optional(
    v.pipe(
      v.string(),
      v.check(isChannelKey, "must be 1–128 characters, none of which is white space or a control"),
    ),
  ),
  event_id: v.optional(
    v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,100}$/, "must be 1–100 visible ASCII characters")),
  ),
});
/** See {@link ChannelPublication}. */
export type ChannelPublication = v.InferOutput<typeof ChannelPublication>;

/** `ping {}`. */
export const PingData = v.object({});
/**
 * `subscribe {topics, since?, replay?, max_rate_hz?}`; the rate is how often a second progress may come, 0.1–50, and is
 * rounded down to a step of R10.
 */
export const SubscribeData = v.object({
  topics: Topics,
  since: v.optional(Cursor),
  replay: v.optional(ReplayMode),
  max_rate_hz: v.optional(v.pipe(v.number(), v.minValue(0.1), v.maxValue(50))),
});
/** `unsubscribe {topics}`. */
export const UnsubscribeData = v.object({ topics: Topics });
/** `get_task {task_id, at?}`. */
export const GetTaskData = v.object({ task_id: TaskId, at: v.optional(At) });
/** `get_tasks {status?, tag?, parent_id?, type?, limit?, page?, at?}`; pages count from 1. */
export const GetTasksData = v.object({
  status: v.optional(v.picklist(TASK_STATUSES)),
  tag: v.optional(Tag),
  parent_id: v.optional(TaskId),
  type: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(64))),
  limit: Limit,
  page: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000)), 1),
  at: v.optional(At),
});
/** See {@link GetTasksData}. */
export type TaskQuery = v.InferOutput<typeof GetTasksData>;
/** `get_history {task_id, after_seq?, limit?}`. */
export const GetHistoryData = v.object({
  task_id: TaskId,
  after_seq: v.optional(Seq, 0),
  limit: Limit,
});

/** `auth {token}`; the rule quotes nothing of what it refuses. */
export const AuthData = v.object(
  {
    token: v.pipe(
      v.string("must be a text"),
      v.minLength(1, "must be 1–8192 characters"),
      v.maxLength(8_192, "must be 1–8192 characters"),
    ),
  },
  "must be an object with a token",
);

/** `cancel_task {task_id, reason?}`; the reason is as long as that of a worker's event may be. */
export const CancelTaskData = v.object({
  task_id: TaskId,
  reason: v.nullish(v.pipe(v.string(), v.maxLength(4_096))),
});

/** The longest sentence about a broken rule, in characters: it may quote what the other side sent. */
const MAX_RULE_CHARS = 200;

/**
 * The first broken rule of a failed parse, as one sentence that names the member and the rule,
 * for example `data.topics: Invalid type: Expected Array but received "task:list"`.
 */
export function brokenRule(issues: readonly v.BaseIssue<unknown>[], prefix = ""): string {
  const issue = issues[0];
  if (issue === undefined) return "does not follow its schema";
  const path = [prefix, v.getDotPath(issue)].filter((part) => part !== null && part !== "").join(".");
  const rule = path === "" ? issue.message : `${path}: ${issue.message}`;
  return rule.length > MAX_RULE_CHARS ? `${rule.slice(0, MAX_RULE_CHARS - 1)}…` : rule;
}
