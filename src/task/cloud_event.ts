import * as v from "valibot";
import { brokenRule, isObject } from "../protocol/client_frames.ts";
import { TaskId } from "../protocol/names.ts";
import { EventKey } from "./event_key.ts";

/** What the `type` of a CloudEvent ends in before the kind. */
const TYPE = "taskwire.task.";
const RULE_OF_TYPE = `must be ${TYPE}<kind>, or that after a reverse domain name and a dot`;

const Data = v.pipe(
  v.custom<object>(isObject, "must be a JSON object, the event's body"),
  v.record(v.string(), v.unknown()),
);

/** The attributes of CloudEvents 1.0 that matter here; a null is none. Others are ignored. */
export const CloudEvent = v.object({
  specversion: v.literal("1.0", "must be 1.0"),
  id: EventKey,
  source: v.pipe(v.string(), v.minLength(1, "must not be empty")),
  type: v.pipe(v.string(), v.regex(/^(?:[A-Za-z0-9.-]+\.)?taskwire\.task\.[a-z_]+$/, RULE_OF_TYPE)),
  subject: v.nullish(TaskId),
  time: v.nullish(v.pipe(v.string(), v.isoTimestamp("must be an RFC 3339 time"))),
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
  readonly id: string;
  readonly traceparent?: string;
  readonly body: Readonly<Record<string, unknown>>;
};

/** Whether a JSON value calls itself a CloudEvent, of whatever version. */
export function isCloudEvent(value: unknown): boolean {
  return typeof value === "object" && value !== null && "specversion" in value &&
    typeof value.specversion === "string";
}

/** Understands a structured CloudEvent 1.0, or says in one sentence which attribute breaks which rule. Pure. */
export function parseCloudEvent(
  value: unknown,
): { readonly said: CloudEventSaid } | { readonly rejected: string } {
  const result = v.safeParse(CloudEvent, value, { abortEarly: true });
  if (!result.success) return { rejected: brokenRule(result.issues) };
  const { id, type, data } = result.output;
  const [subject, time, traceparent] = [
    result.output.subject ?? undefined,
    result.output.time ?? undefined,
    result.output.traceparent ?? undefined,
  ];
  return {
    said: {
      kind: type.slice(type.lastIndexOf(".") + 1),
      id,
      ...(subject === undefined ? {} : { taskId: subject }),
      ...(traceparent === undefined ? {} : { traceparent }),
      body: { ...data, ...(time === undefined ? {} : { at: time }) },
    },
  };
}
