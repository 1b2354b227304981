import * as v from "valibot";
import { brokenRule } from "../protocol/client_frames.ts";
import { isTaskId, Tag, TaskId } from "../protocol/names.ts";
import { isCloudEvent, parseCloudEvent } from "./cloud_event.ts";
import { LAST_MOMENT_MS, MAX_ATTEMPT, MAX_TEXT, plainProgress } from "./plain_progress.ts";

/** The largest event body that is understood, in bytes; a larger one is kept in the log and listed as rejected. */
export const MAX_BODY_BYTES = 65_536;

/** The deepest nesting of arrays and objects in a body. */
export const MAX_BODY_DEPTH = 64;

const Text = v.pipe(v.string(), v.maxLength(MAX_TEXT));
/** Bounded so that neither a sum of two nor a rate of them can pass what JSON can carry. */
const Count = v.pipe(v.number(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const Attempt = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_ATTEMPT)), 1);

/** A position in the stream. */
const Position = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** From 1970 to the last moment that RFC 3339 can write, in milliseconds. */
const Moment = v.pipe(v.number(), v.minValue(0), v.maxValue(LAST_MOMENT_MS));

/** When it happened by the worker's clock: RFC 3339 text or milliseconds since the epoch; becomes milliseconds. */
const At = v.optional(v.union(
  [Moment, v.pipe(v.string(), v.isoTimestamp(), v.transform((text) => Date.parse(text)), Moment)],
  "must be an RFC 3339 time or milliseconds since the epoch, from 1970 to 9999",
));

const counters = {
  total: v.optional(v.nullable(Count)),
  completed: v.optional(Count),
  failed: v.optional(Count),
  current: v.optional(v.nullable(Text)),
  status: v.optional(v.nullable(Text)),
  percentage: v.optional(v.nullable(v.pipe(v.number(), v.finite()))),
};

/** What went wrong, as `{message, code?}`; a bare string is its message. */
const TaskError = v.union([
  v.object({
    message: v.pipe(v.string(), v.maxLength(16_384)),
    code: v.optional(v.pipe(v.string(), v.maxLength(128))),
  }),
  v.pipe(v.string(), v.maxLength(16_384), v.transform((message) => ({ message }))),
], "must be {message, code?} or a string, of at most 16384 characters (code: 128)");

/** The last counters. An array is taken for none: some languages write an object without members so. */
export const LastCounters = v.object(counters);

const ended = { attempt: Attempt, progress: v.optional(LastCounters), at: At };

/** The body of each kind of worker event. Unknown members are ignored. */
export const BODIES = {
  created: v.object({
    name: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(512)))),
    type: v.optional(v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(64)))),
    tags: v.optional(v.pipe(v.array(Tag), v.maxLength(16))),
    parent_id: v.optional(v.nullable(TaskId)),
    total: v.optional(v.nullable(Count)),
    at: At,
  }),
  started: v.object({ attempt: Attempt, at: At }),
  progress: v.object({ attempt: Attempt, ...counters, at: At }),
  paused: v.object({ attempt: Attempt, at: At }),
  resumed: v.object({ attempt: Attempt, at: At }),
  cancel_requested: v.object({ attempt: Attempt, reason: v.optional(v.nullable(Text)), at: At }),
  retrying: v.object({ attempt: Attempt, error: v.optional(v.nullable(TaskError)), at: At }),
  completed: v.object({ result: v.optional(v.unknown()), ...ended }),
  failed: v.object({
    error: v.optional(v.nullable(TaskError)),
    reason: v.optional(v.nullable(Text)),
    ...ended,
  }),
  cancelled: v.object({ reason: v.optional(v.nullable(Text)), ...ended }),
  stale: v.object({ attempt: Attempt, through: v.optional(Position), at: At }),
} as const;

/** What a worker can say of its task, and others of it: `cancel_requested`, `stale`. The last token of the event's subject. */
export type Kind = keyof typeof BODIES;

/** Every {@link Kind}. */
export const KINDS = Object.keys(BODIES) as readonly Kind[];

/** A parsed body of one kind. */
export type Body<K extends Kind> = v.InferOutput<(typeof BODIES)[K]>;

/**
 * An event in its place: `seq` is its position in the stream, `time` when it was appended (ms since the epoch).
 * `attempt` is 1 for `created`, which belongs to no attempt.
 */
export type TaskEvent<K extends Kind = Kind> = {
  readonly [P in K]: {
    readonly kind: P;
    readonly taskId: TaskId;
    readonly seq: number;
    readonly time: number;
    readonly attempt: number;
    readonly body: Body<P>;
  };
}[K];

/** A stored record as the log hands it over, as far as an event needs it. `subject` is relative to the prefix. */
export type EventRecord = {
  readonly seq: number;
  readonly time: number;
  readonly subject: string;
  readonly body: Uint8Array;
};

/** Either an event, or why the record is none. */
export type Parsed = { readonly event: TaskEvent } | { readonly rejected: string };

const decoder = new TextDecoder("utf-8", { fatal: true });

const NAMESPACE = "task.";

/** Whether `kind` names a kind of event. */
export function isKind(kind: string): kind is Kind {
  return Object.hasOwn(BODIES, kind);
}

/** The subject of a task's event, relative to the prefix: `task.<id>.<kind>`. */
export function eventSubject(taskId: string, kind: Kind): string {
  return `task.${taskId}.${kind}`;
}

/** Which task and which kind a subject names, unchecked; undefined where it is not `task.<id>.<kind>`. */
export function namesIn(subject: string): { readonly taskId: string; readonly kind: string } | undefined {
  if (!subject.startsWith(NAMESPACE)) return undefined;
  const dot = subject.indexOf(".", NAMESPACE.length);
  if (dot < 0 || subject.includes(".", dot + 1)) return undefined;
  return { taskId: subject.slice(NAMESPACE.length, dot), kind: subject.slice(dot + 1) };
}

/** Understands one stored record, or says in one sentence why it is not an event. Never throws. */
export function parseRecord(record: EventRecord): Parsed {
  const names = namesIn(record.subject);
  if (names === undefined) return { rejected: "subject: must be task.<task_id>.<kind>" };
  const { taskId, kind } = names;
  if (!isTaskId(taskId)) return { rejected: "subject: task_id must be 1–128 characters of A-Za-z0-9_-" };
  if (!isKind(kind)) return { rejected: `subject: kind must be one of ${KINDS.join(", ")}` };
  if (record.body.length > MAX_BODY_BYTES) {
    return { rejected: `body: must be at most ${MAX_BODY_BYTES} bytes` };
  }
  let value: unknown;
  try {
    value = record.body.length === 0 ? {} : JSON.parse(decoder.decode(record.body));
  } catch {
    return { rejected: "body: must be UTF-8 JSON" };
  }
  const told = bodyIn(value, { taskId, kind });
  if ("rejected" in told) return told;
  const parsed = parseBody(kind, told.body);
  if ("rejected" in parsed) return parsed;
  const { seq, time } = record;
  const attempt = "attempt" in parsed.body ? parsed.body.attempt : 1;
  // The body was parsed by the schema of this very kind; the compiler cannot follow that through the union.
  return { event: { kind, taskId, seq, time, attempt, body: parsed.body } as TaskEvent };
}

/**
 * The body in a record's JSON: that itself, or what is in it where it is a CloudEvent, which may not contradict the subject
 * under which it was published.
 */
export function bodyIn(
  value: unknown,
  { taskId, kind }: { readonly taskId: string; readonly kind: string },
): { readonly body: unknown } | { readonly rejected: string } {
  if (!isCloudEvent(value)) return { body: value };
  const parsed = parseCloudEvent(value);
  if ("rejected" in parsed) return parsed;
  const { said } = parsed;
  if (said.kind !== kind) return { rejected: `type: must end in ${kind}, as the subject does` };
  if (said.taskId !== undefined && said.taskId !== taskId) {
    return { rejected: `subject: must be ${taskId}, as in the subject in NATS` };
  }
  return { body: said.body };
}

/** Checks a body against the schema of its kind, or says in one sentence which member breaks which rule. */
export function parseBody(
  kind: Kind,
  value: unknown,
): { readonly body: Body<Kind> } | { readonly rejected: string } {
  if (!isJsonObject(value)) return { rejected: "body: must be a JSON object" };
  // Whoever reads it would take it for the envelope of another.
  if (isCloudEvent(value)) {
    return { rejected: "body.specversion: must not be text: that is what CloudEvents are known by" };
  }
  const plain = kind === "progress" ? plainProgress(value) : undefined;
  if (plain !== undefined) return { body: plain };
  if (kind === "completed" && !depthWithin(value, MAX_BODY_DEPTH)) {
    return { rejected: `body: must nest at most ${MAX_BODY_DEPTH} deep` };
  }
  const result = v.safeParse(BODIES[kind], value, { abortEarly: true });
  return result.success ? { body: result.output } : { rejected: brokenRule(result.issues, "body") };
}

function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether `value` nests at most `max` arrays and objects deep. Walks by levels, so that no depth can overflow the stack. */
export function depthWithin(value: unknown, max: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item !== "object" || item === null) continue;
      if (depth === max) return false;
      for (const inner of Object.values(item)) next.push(inner);
    }
    level = next;
  }
  return true;
}
