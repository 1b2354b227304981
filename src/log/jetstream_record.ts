import type { Msg } from "nats.ws";
import type { Entry } from "./event_log.ts";

/** A record as a consumer delivers it. */
export type Delivered = {
  readonly entry: Entry;
  /** When it was stored: nanoseconds as text. With `entry.seq` it tells a record from another at the same position. */
  readonly stamp: string;
  /** The message itself, for what else its headers hold. */
  readonly message?: Msg;
  /** How many records this consumer has delivered up to this one. */
  readonly deliveredSeq: number;
};

/**
 * The record in a delivered message; undefined when its reply subject is none of JetStream's. Never throws, whatever a
 * stranger put into its headers: what is thrown in a subscription's callback ends the connection's reading.
 */
export function deliveredOf(message: Msg, prefix: string): Delivered | undefined {
  const place = placeOf(message.reply ?? "");
  if (place === undefined) return undefined;
  const traceparent = traceparentOf(message);
  const entry: Entry = {
    seq: place.seq,
    time: place.time,
    subject: message.subject.startsWith(`${prefix}.`)
      ? message.subject.slice(prefix.length + 1)
      : message.subject,
    // A view into the connection's input: records are taken, understood and let go in the order in which they came.
    body: message.data,
    ...(traceparent === undefined ? {} : { traceparent }),
  };
  return { entry, message, stamp: place.stamp, deliveredSeq: place.deliveredSeq };
}

/**
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<ns>.<pending>`, and with a domain and an account
 * hash before the stream, and more behind, on later servers.
 */
function placeOf(
  reply: string,
): { seq: number; deliveredSeq: number; stamp: string; time: number } | undefined {
  if (!reply.startsWith("$JS.ACK.")) return undefined;
  const dots: number[] = [];
  for (let dot = reply.indexOf("."); dot >= 0; dot = reply.indexOf(".", dot + 1)) dots.push(dot);
  const first = dots.length === 8 ? 5 : 7;
  const token = (i: number): string => reply.slice((dots[i - 1] ?? reply.length) + 1, dots[i]);
  const seq = Number(token(first));
  const deliveredSeq = Number(token(first + 1));
  const stamp = token(first + 2);
  const time = Number(stamp.slice(0, -6));
  return isPosition(seq) && isPosition(deliveredSeq) && isPosition(time)
    ? { seq, deliveredSeq, stamp, time }
    : undefined;
}

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

/** The producer's trace context. We write its name small; other clients may write it in capitals. */
export function traceparentOf(message: Msg): string | undefined {
  return headerOf(message, "traceparent");
}

/** The id under which it was published, by which JetStream stores it once. */
export function idOf(message: Msg): string | undefined {
  return headerOf(message, "nats-msg-id");
}

/** The first value of a header; `wanted` is in small letters. */
function headerOf(message: Msg, wanted: string): string | undefined {
  try {
    for (const [name, [value]] of message.headers ?? []) {
      if (name.toLowerCase() === wanted && value !== undefined && value !== "") return value;
    }
  } catch {
    // Headers that are none. The record counts all the same.
  }
  return undefined;
}

/** A status that a server sends in place of a record; undefined when it cannot be read. */
export function statusOf(message: Msg): { readonly code: number; readonly description: string } | undefined {
  try {
    const { headers } = message;
    return headers === undefined ? undefined : { code: headers.code, description: headers.description };
  } catch {
    return undefined;
  }
}
