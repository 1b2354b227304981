import { payloadFault, placeFault } from "../channel/channel_update.ts";
import { isChannelKey } from "../protocol/names.ts";
import { parseTopic } from "../protocol/topics.ts";
import { MAX_BODY_BYTES } from "../task/worker_event.ts";
import type { Queueable } from "./outbox.ts";
import type { Carrier } from "./transport.ts";
import { messageOf, WorkerError } from "./worker_error.ts";

/** A value on its way to a channel: checked, and written down so that nothing can change it any more. */
export type OutgoingValue = Queueable & {
  /** Stays the same through every try; the log stores it once. */
  readonly id: string;
  readonly topic: string;
  /** Empty where the channel has but one value. */
  readonly key: string;
  readonly json: string;
};

/** What brings values to the log. */
export type ValueCarrier = Carrier<OutgoingValue> & {
  /** What keeps a value's order: values of one lane leave one after the other, or together. */
  readonly laneOf: (value: { readonly topic: string; readonly key: string }) => string;
};

/** A value as somebody gives it. */
export type GivenValue = Pick<OutgoingValue, "id" | "topic" | "key"> & { readonly payload: unknown };

const encoder = new TextEncoder();

/** Checks a value by the gateway's own rules and writes it down. Throws a {@link WorkerError} `invalid` that names the rule. */
export function outgoingValue(
  { id, topic, key, payload }: GivenValue,
  laneOf: ValueCarrier["laneOf"],
): OutgoingValue {
  if (parseTopic(topic)?.kind !== "channel") throw invalid(`no such channel: ${topic}`);
  if (key !== "" && !isChannelKey(key)) {
    throw invalid("key: must be 1–128 characters, none of which is white space or a control");
  }
  if (!/^[\x21-\x7e]{1,100}$/.test(id)) throw invalid("eventId: must be 1–100 visible ASCII characters");
  const rule = placeFault({ topic, key }, id);
  if (rule !== undefined) throw invalid(rule);
  const json = write(payload);
  const fault = payloadFault(JSON.parse(json));
  if (fault !== undefined) throw invalid(fault);
  const bytes = encoder.encode(json).length;
  if (bytes > MAX_BODY_BYTES) {
    throw invalid(`payload: must be at most ${MAX_BODY_BYTES} bytes of JSON, is ${bytes}`);
  }
  return { id, topic, key, json, bytes, taskId: laneOf({ topic, key }), kind: "value", attempt: 1 };
}

function write(payload: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(payload);
  } catch (error) {
    throw invalid(`payload: must be JSON: ${messageOf(error)}`, error);
  }
  // What JSON has no word for, such as a function.
  if (json === undefined) throw invalid("payload: must be JSON");
  return json;
}

function invalid(message: string, cause?: unknown): WorkerError {
  return new WorkerError("invalid", message, { cause });
}
