import { namespaceOf } from "../protocol/topics.ts";
import type { EventRecord } from "../task/worker_event.ts";
import { depthWithin, MAX_BODY_BYTES, MAX_BODY_DEPTH } from "../task/worker_event.ts";
import { publicationId } from "./publication_id.ts";
import { channelOf, channelSubject, type ChannelValue } from "./channel_subject.ts";

/** A value that was published to a channel: `seq` is its position, `time` when it was appended (ms since the epoch). */
export type ChannelUpdate = ChannelValue & {
  readonly seq: number;
  readonly time: number;
  /** Its payload, any JSON, as text: what `[{},{},…]` says takes seven times as much memory. */
  readonly json: string;
};

/** Either an update, or why the record is none. */
export type ParsedUpdate = { readonly update: ChannelUpdate } | { readonly rejected: string };

const decoder = new TextDecoder("utf-8", { fatal: true });

/** What is known of namespaces, as far as values are judged by it. */
export interface Rules {
  /** Whether there is the namespace of a channel. */
  isThere(topic: string): boolean;
  /** Why a value may not be of its topic, in one sentence; undefined where it may. Never throws. */
  faultOf(
    value: { readonly topic: string; readonly payload: unknown },
    when: { readonly isNew: boolean },
  ): string | undefined;
}

/** Understands a stored record of a channel, which just comes or is read again, or says in one sentence why it is none. Never throws. */
export function parseUpdate(
  { seq, time, subject, body }: EventRecord,
  namespaces: Rules,
  when: { readonly isNew: boolean },
): ParsedUpdate {
  const value = channelOf(subject);
  if (value === undefined) {
    return {
      rejected: "subject: must be task.<task_id>.<kind>, data.<name>[.<key>] or strategy.<name>[.<key>]",
    };
  }
  // One value would else lie under several subjects, each with a retention and a last record of its own.
  const subjectOfIt = channelSubject(value);
  if (subject !== subjectOfIt) return { rejected: `subject: must be written ${subjectOfIt}` };
  if (!namespaces.isThere(value.topic)) {
    return { rejected: `subject: there is no namespace ${namespaceOf(value.topic)} here` };
  }
  const fault = bodyFault(body);
  if (fault !== undefined) return { rejected: fault };
  let payload: unknown;
  try {
    payload = JSON.parse(decoder.decode(body));
  } catch {
    return { rejected: "body: must be UTF-8 JSON" };
  }
  const broken = payloadFault(payload) ?? namespaces.faultOf({ topic: value.topic, payload }, when);
  return broken === undefined
    ? { update: { ...value, seq, time, json: JSON.stringify(payload) } }
    : { rejected: broken };
}

/** Why a payload cannot be published, in one sentence; undefined where it can. */
export function payloadFault(payload: unknown): string | undefined {
  return depthWithin(payload, MAX_BODY_DEPTH)
    ? undefined
    : `payload: must nest at most ${MAX_BODY_DEPTH} deep`;
}

/** What a log takes as a subject, and as an id, in characters. */
const MAX_SUBJECT = 1_024;
const MAX_ID = 256;

/** Why a value cannot lie in the log, in one sentence; undefined where it can. A character takes up to 12 of a subject's. */
export function placeFault(value: ChannelValue, eventId = ""): string | undefined {
  if (channelSubject(value).length > MAX_SUBJECT) {
    return `key: must be shorter: topic and key have at most ${MAX_SUBJECT} characters as a subject`;
  }
  return publicationId(value.topic, eventId).length > MAX_ID
    ? `event_id: must be shorter: with the topic it has at most ${MAX_ID} characters`
    : undefined;
}

function bodyFault(body: Uint8Array): string | undefined {
  if (body.length > MAX_BODY_BYTES) return `body: must be at most ${MAX_BODY_BYTES} bytes`;
  return body.length === 0 ? "body: must be UTF-8 JSON" : undefined;
}
