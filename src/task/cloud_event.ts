import { createHash } from "node:crypto";
import * as v from "valibot";
import { brokenRule, isObject } from "../protocol/client_frames.ts";
import { TaskId } from "../protocol/names.ts";

/** What the `type` of a CloudEvent ends in before the kind. */
const TYPE = "taskwire.task.";
const RULE_OF_TYPE = `must be ${TYPE}<kind>, or that after a reverse domain name and a dot`;

/** The most characters of what names an event. */
const MAX_NAME = 1_024;

const Data = v.pipe(
  v.custom<object>(isObject, "must be a JSON object, the event's body"),
  v.record(v.string(), v.unknown()),
);

/** The attributes of CloudEvents 1.0 that matter here; a null is none. Others are ignored. */
export const CloudEvent = v.object({
  specversion: v.literal("1.0", "must be 1.0"),
  id: v.pipe(
    v.string(),
    v.minLength(1, "must not be empty"),
    v.maxLength(MAX_NAME, `must be at most ${MAX_NAME} long`),
  ),
  source: v.pipe(
    v.string(),
    v.minLength(1, "must not be empty"),
    v.maxLength(MAX_NAME, `must be at most ${MAX_NAME} long`),
  ),
  type: v.pipe(v.string(), v.regex(/^(?:[A-Za-z0-9.-]+\.)?taskwire\.task\.[a-z_]+$/, RULE_OF_TYPE)),
  subject: v.nullish(TaskId),
  time: v.nullish(v.pipe(v.string(), v.toUpperCase(), v.isoTimestamp("must be an RFC 3339 time"))),
  datacontenttype: v.nullish(
    v.pipe(v.string(), v.regex(/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i, "must be application/json")),
  ),
  traceparent: v.nullish(v.pipe(
    v.string(),
    v.regex(/^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}(?:-.*)?$/, "must be a W3C traceparent"),
  )),
  data: v.nullish(Data),
  data_base64: v.nullish(v.never("must not be given: data must be JSON")),
});

/** A worker's event as a CloudEvent says it; `kind` is not looked at. `body` has `time` as its `at`. */
export type CloudEventSaid = {
  readonly kind: string;
  /** Absent where it is left to what surrounds the event. */
  readonly taskId?: TaskId;
  /** Together with `source` what makes it this event (CloudEvents 1.0, "id"). */
  readonly id: string;
  readonly source: string;
  readonly traceparent?: string;
  readonly body: Readonly<Record<string, unknown>>;
};

/** Whether a JSON value calls itself a CloudEvent, of whatever version. */
export function isCloudEvent(value: unknown): boolean {
  return typeof value === "object" && value !== null && "specversion" in value &&
    typeof value.specversion === "string";
}

/** What names it among its task's events, so that it is stored once: two are the same whose `source` and `id` are. */
export function cloudEventKey({ source, id }: Pick<CloudEventSaid, "source" | "id">): string {
  return createHash("sha256").update(JSON.stringify([source, id])).digest("base64url");
}

/** Understands a structured CloudEvent 1.0, or says in one sentence which attribute breaks which rule. Pure. */
export function parseCloudEvent(
  value: unknown,
): { readonly said: CloudEventSaid } | { readonly rejected: string } {
  const result = v.safeParse(CloudEvent, value, { abortEarly: true });
  if (!result.success) return { rejected: brokenRule(result.issues) };
  const { id, source, type, data } = result.output;
  const [subject, time, traceparent] = [
    result.output.subject ?? undefined,
    result.output.time ?? undefined,
    result.output.traceparent ?? undefined,
  ];
  return {
    said: {
      kind: type.slice(type.lastIndexOf(".") + 1),
      id,
      source,
      ...(subject === undefined ? {} : { taskId: subject }),
      ...(traceparent === undefined ? {} : { traceparent }),
      body: { ...data, ...(time === undefined ? {} : { at: time }) },
    },
  };
}
