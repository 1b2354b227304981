import * as v from "valibot";
import type { NewEntry } from "../log/event_log.ts";
import { brokenRule } from "../protocol/client_frames.ts";
import type { TaskId } from "../protocol/names.ts";
import { cloudEventKey, type CloudEventSaid, parseCloudEvent } from "../task/cloud_event.ts";
import { EventKey } from "../task/event_key.ts";
import {
  depthWithin,
  eventSubject,
  isKind,
  type Kind,
  KINDS,
  MAX_BODY_BYTES,
  MAX_BODY_DEPTH,
  parseBody,
} from "../task/worker_event.ts";
import { parseTraceparent, printTraceparent } from "../telemetry/traceparent.ts";
import { invalid, type Problem, tooLarge } from "./problem.ts";

/** The most events of one request. */
export const MAX_EVENTS = 1_000;

/** How the events of a request are written. */
export type EventsFormat = "plain" | "cloudEvent" | "cloudEventBatch";

const FORMATS: Readonly<Record<string, EventsFormat>> = {
  "application/json": "plain",
  "application/cloudevents+json": "cloudEvent",
  "application/cloudevents-batch+json": "cloudEventBatch",
};

/** The types of bodies in which a worker's events may be. */
export const WORKER_TYPES: readonly string[] = Object.keys(FORMATS);

/** Those of them that say whose events they are. */
export const CLOUD_EVENT_TYPES: readonly string[] = WORKER_TYPES.filter((type) => FORMATS[type] !== "plain");

/** How a body of this type is written; without one it is plain. */
export function formatOf(mediaType: string): EventsFormat {
  return FORMATS[mediaType] ?? "plain";
}

const Envelope = v.object({ kind: v.string(), event_id: v.optional(EventKey) });

/** Around the events of a request: whose they are, the `Idempotency-Key`, and the producer's trace. */
export type EventsContext = {
  /** Absent where each event has to say it. */
  readonly taskId: TaskId | undefined;
  readonly format: EventsFormat;
  readonly idempotencyKey: string | undefined;
  readonly traceparent: string | undefined;
};

/** What there is to append for a request's body: all of its events, or none because one breaks a rule. */
export type ParsedEvents =
  | {
    readonly entries: readonly NewEntry[];
    /** The tasks that the events are of, and the tags that they give to each. */
    readonly tags: ReadonlyMap<TaskId, readonly string[]>;
  }
  | { readonly problem: Problem };

type ParsedEvent = { readonly entry: NewEntry; readonly taskId: TaskId; readonly tags: readonly string[] };

const encoder = new TextEncoder();

/** Understands `{kind, …}` or an array of such, or CloudEvents, before anything of it is appended. */
export function parseEvents(value: unknown, context: EventsContext): ParsedEvents {
  const { idempotencyKey: key, format } = context;
  if (key !== undefined && !v.is(EventKey, key)) {
    return { problem: invalid("idempotency-key: must be 1–100 visible ASCII characters") };
  }
  if (format === "cloudEventBatch" && !Array.isArray(value)) {
    return { problem: invalid("a batch of CloudEvents must be an array") };
  }
  if (!Array.isArray(value) || format === "cloudEvent") {
    const parsed = parseEvent(value, context, key);
    return "problem" in parsed
      ? parsed
      : { entries: [parsed.entry], tags: new Map([[parsed.taskId, parsed.tags]]) };
  }
  if (value.length > MAX_EVENTS) return { problem: tooLarge("events", MAX_EVENTS) };
  if (value.length === 0) return { problem: invalid("the body must hold at least one event") };
  const entries: NewEntry[] = [];
  const tags = new Map<TaskId, string[]>();
  for (const [index, item] of value.entries()) {
    const parsed = parseEvent(item, context, key === undefined ? undefined : `${key}:${index}`);
    if ("problem" in parsed) return { problem: inArray(parsed.problem, index) };
    entries.push(parsed.entry);
    const known = tags.get(parsed.taskId);
    if (known === undefined) tags.set(parsed.taskId, [...parsed.tags]);
    else known.push(...parsed.tags);
  }
  return { entries, tags };
}

function inArray(problem: Problem, index: number): Problem {
  return { ...problem, detail: `[${index}] ${problem.detail}`, details: { ...problem.details, index } };
}

/** An event without what surrounds it, whichever way it was written. */
type Told = {
  readonly taskId: TaskId;
  readonly kind: Kind;
  readonly key: string | undefined;
  readonly traceparent: string | undefined;
  readonly said: Readonly<Record<string, unknown>>;
};

function parseEvent(
  value: unknown,
  context: EventsContext,
  requestKey: string | undefined,
): ParsedEvent | { readonly problem: Problem } {
  if (!isJsonObject(value)) return { problem: invalid("an event must be a JSON object") };
  // Before anything walks into it by recursion, as JSON.stringify does.
  if (!depthWithin(value, MAX_BODY_DEPTH)) {
    return { problem: invalid(`an event must nest at most ${MAX_BODY_DEPTH} deep`) };
  }
  const told = context.format === "plain" ? toldPlainly(value, context) : toldByCloudEvent(value, context);
  if ("problem" in told) return told;
  const { taskId, kind, key = requestKey, traceparent, said } = told;
  const parsed = parseBody(kind, said);
  if ("rejected" in parsed) return { problem: invalid(parsed.rejected) };
  const body = encoder.encode(JSON.stringify(said));
  if (body.length > MAX_BODY_BYTES) return { problem: tooLarge("event_bytes", MAX_BODY_BYTES) };
  return {
    entry: {
      subject: eventSubject(taskId, kind),
      body,
      // A key names an event among its task's events, so that two workers that both count from 1 lose nothing.
      ...(key === undefined ? {} : { id: `${taskId}:${key}` }),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
    taskId,
    tags: "tags" in parsed.body ? parsed.body.tags ?? [] : [],
  };
}

function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function toldPlainly(
  value: Readonly<Record<string, unknown>>,
  { taskId, traceparent }: EventsContext,
): Told | { readonly problem: Problem } {
  const envelope = v.safeParse(Envelope, value, { abortEarly: true });
  if (!envelope.success) return { problem: invalid(brokenRule(envelope.issues)) };
  const { kind, event_id: key } = envelope.output;
  if (!isKind(kind)) return { problem: invalid(`kind: must be one of ${KINDS.join(", ")}`) };
  if (taskId === undefined) {
    return { problem: invalid("an event that does not say whose it is needs its task's URL") };
  }
  // The body as the worker wrote it: what the schemas do not know stays in history.
  const said: Record<string, unknown> = { ...value };
  delete said["kind"];
  delete said["event_id"];
  return { taskId, kind, key, traceparent, said };
}

function toldByCloudEvent(
  value: Readonly<Record<string, unknown>>,
  context: EventsContext,
): Told | { readonly problem: Problem } {
  const parsed = parseCloudEvent(value);
  if ("rejected" in parsed) return { problem: invalid(parsed.rejected) };
  const { kind, taskId = context.taskId, traceparent, body }: CloudEventSaid = parsed.said;
  const key = cloudEventKey(parsed.said);
  if (!isKind(kind)) return { problem: invalid(`type: must end in one of ${KINDS.join(", ")}`) };
  if (taskId === undefined) return { problem: invalid("subject: must be the task's id") };
  if (context.taskId !== undefined && taskId !== context.taskId) {
    return { problem: invalid(`subject: must be ${context.taskId}, as in the URL`) };
  }
  if (traceparent === undefined) {
    return { taskId, kind, key, traceparent: context.traceparent, said: body };
  }
  const trace = parseTraceparent(traceparent);
  if (trace === undefined) return { problem: invalid("traceparent: must be a W3C traceparent") };
  return { taskId, kind, key, traceparent: printTraceparent(trace), said: body };
}
