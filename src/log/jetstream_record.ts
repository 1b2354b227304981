import type { Msg } from "nats.ws";
import type { Entry } from "./event_log.ts";

/** A record as a consumer delivers it. */
export type Delivered = {
  readonly entry: Entry;
  /** When it was stored: nanoseconds as text. With `entry.seq` it tells a record from another at the same position. */
  readonly stamp: string;
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
    time: Number(place.stamp.slice(0, -6)),
    subject: message.subject.startsWith(`${prefix}.`)
      ? message.subject.slice(prefix.length + 1)
      : message.subject,
    // A copy: the client's bytes are a view into 64 KiB of the connection's input, which they would keep alive.
    body: message.data.slice(),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
  return { entry, stamp: place.stamp, deliveredSeq: place.deliveredSeq };
}

/**
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<ns>.<pending>`, and with a domain and an account
 * hash before the stream, and more behind, on later servers.
 */
function placeOf(reply: string): { seq: number; deliveredSeq: number; stamp: string } | undefined {
  const tokens = reply.split(".");
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK") return undefined;
  const at = tokens.length === 9 ? 5 : 7;
  const seq = Number(tokens[at]);
  const deliveredSeq = Number(tokens[at + 1]);
  const stamp = tokens[at + 2] ?? "";
  if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(deliveredSeq) || !/^\d{7,}$/.test(stamp)) {
    return undefined;
  }
  return { seq, deliveredSeq, stamp };
}

/** The producer's trace context. We write its name small; other clients may write it in capitals. */
export function traceparentOf(message: Msg): string | undefined {
  try {
    for (const [name, [value]] of message.headers ?? []) {
      if (name.toLowerCase() === "traceparent" && value !== undefined && value !== "") return value;
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
