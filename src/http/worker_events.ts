import * as v from "valibot";
import type { NewEntry } from "../log/event_log.ts";
import { brokenRule } from "../protocol/client_frames.ts";
import type { TaskId } from "../protocol/names.ts";
import {
  depthWithin,
  eventSubject,
  isKind,
  KINDS,
  MAX_BODY_BYTES,
  MAX_BODY_DEPTH,
  parseBody,
} from "../task/worker_event.ts";
import { invalid, type Problem, tooLarge } from "./problem.ts";

/** The most events of one request. */
export const MAX_EVENTS = 1_000;

/** What names an event so that it is stored once: 1–100 visible ASCII characters. */
const EventKey = v.pipe(
  v.string(),
  v.regex(/^[\x21-\x7e]{1,100}$/, "must be 1–100 visible ASCII characters"),
);

const Envelope = v.object({ kind: v.string(), event_id: v.optional(EventKey) });

/** Around the events of a request: whose they are, the `Idempotency-Key`, and the producer's trace. */
export type EventsContext = {
  readonly taskId: TaskId;
  readonly idempotencyKey: string | undefined;
  readonly traceparent: string | undefined;
};

/** What there is to append for a request's body: all of its events, or none because one breaks a rule. */
export type ParsedEvents =
  | {
    readonly entries: readonly NewEntry[];
    /** Those that the events give to their task. */
    readonly tags: readonly string[];
  }
  | { readonly problem: Problem };

const encoder = new TextEncoder();

/** Understands `{kind, …}` or an array of such, before anything of it is appended. */
export function parseEvents(value: unknown, context: EventsContext): ParsedEvents {
  const key = context.idempotencyKey;
  if (key !== undefined && !v.is(EventKey, key)) {
    return { problem: invalid("idempotency-key: must be 1–100 visible ASCII characters") };
  }
  if (!Array.isArray(value)) {
    const parsed = parseEvent(value, context, key);
    return "problem" in parsed ? parsed : { entries: [parsed.entry], tags: parsed.tags };
  }
  if (value.length > MAX_EVENTS) return { problem: tooLarge("events", MAX_EVENTS) };
  if (value.length === 0) return { problem: invalid("the body must hold at least one event") };
  const entries: NewEntry[] = [];
  const tags: string[] = [];
  for (const [index, item] of value.entries()) {
    const parsed = parseEvent(item, context, key === undefined ? undefined : `${key}:${index}`);
    if ("problem" in parsed) return { problem: inArray(parsed.problem, index) };
    entries.push(parsed.entry);
    tags.push(...parsed.tags);
  }
  return { entries, tags };
}

function inArray(problem: Problem, index: number): Problem {
  return { ...problem, detail: `[${index}] ${problem.detail}`, details: { ...problem.details, index } };
}

function parseEvent(
  value: unknown,
  { taskId, traceparent }: EventsContext,
  requestKey: string | undefined,
): { readonly entry: NewEntry; readonly tags: readonly string[] } | { readonly problem: Problem } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { problem: invalid("an event must be a JSON object") };
  }
  // Before anything walks into it by recursion, as JSON.stringify does.
  if (!depthWithin(value, MAX_BODY_DEPTH)) {
    return { problem: invalid(`an event must nest at most ${MAX_BODY_DEPTH} deep`) };
  }
  const envelope = v.safeParse(Envelope, value, { abortEarly: true });
  if (!envelope.success) return { problem: invalid(brokenRule(envelope.issues)) };
  const { kind, event_id: eventId } = envelope.output;
  if (!isKind(kind)) return { problem: invalid(`kind: must be one of ${KINDS.join(", ")}`) };
  // The body as the worker wrote it: what the schemas do not know stays in history.
  const said: Record<string, unknown> = { ...value };
  delete said["kind"];
  delete said["event_id"];
  const parsed = parseBody(kind, said);
  if ("rejected" in parsed) return { problem: invalid(parsed.rejected) };
  const body = encoder.encode(JSON.stringify(said));
  if (body.length > MAX_BODY_BYTES) return { problem: tooLarge("event_bytes", MAX_BODY_BYTES) };
  const key = eventId ?? requestKey;
  return {
    entry: {
      subject: eventSubject(taskId, kind),
      body,
      // A key names an event among its task's events, so that two workers that both count from 1 lose nothing.
      ...(key === undefined ? {} : { id: `${taskId}:${key}` }),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
    tags: "tags" in parsed.body ? parsed.body.tags ?? [] : [],
  };
}
