import type { NatsConnection } from "nats.ws";
import { channelSubject } from "../channel/channel_subject.ts";
import { publicationId } from "../channel/publication_id.ts";
import type { Clock } from "./clock.ts";
import type { Token } from "./http_request.ts";
import type { OutgoingValue, ValueCarrier } from "./outgoing_value.ts";

// Each way is loaded when it is taken, so that one works without what the other needs.

/** A gateway takes bodies of 1 MiB; what is around the values has to fit as well. */
const BATCH = { events: 1_000, bytes: 640 * 1024 };

/** Asks the gateway at `base` to publish: `POST <base>/api/publish`, as many values of a channel at once as wait. */
export async function gatewayValues(
  base: URL,
  { clock, token }: { readonly clock: Clock; readonly token: Token | undefined },
): Promise<ValueCarrier> {
  const { ask } = await import("./http_request.ts");
  const { storedAt } = await import("./http_transport.ts");
  const url = new URL("api/publish", base.href.endsWith("/") ? base : `${base.href}/`);
  const headers = { "content-type": "application/json" };
  return {
    batch: BATCH,
    laneOf: ({ topic }) => topic,
    async send(values, signal) {
      const body = `[${values.map(publicationJson).join(",")}]`;
      const answer = await ask(url, { method: "POST", headers, body }, { clock, token, signal });
      return storedAt(url, answer, values.length);
    },
    // Nobody tells us when a gateway is back; the next try does.
    onReachable: () => {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function publicationJson({ topic, key, id, json }: OutgoingValue): string {
  const about = JSON.stringify({ topic, ...(key === "" ? {} : { key }), event_id: id });
  return `${about.slice(0, -1)},"payload":${json}}`;
}

/** Publishes to the stream of NATS: a value after the other of each key, all keys at once. Owns `nc`. */
export async function natsValues(nc: NatsConnection, prefix: string): Promise<ValueCarrier> {
  const { streamPublishing } = await import("./nats_stream.ts");
  const listeners: (() => void)[] = [];
  const stream = streamPublishing(nc, () => {
    for (const listener of listeners) listener();
  });
  return {
    batch: { events: 1, bytes: Infinity },
    laneOf: channelSubject,
    async send(values, signal) {
      const stored = [];
      for (const { topic, key, id, json } of values) {
        const subject = `${prefix}.${channelSubject({ topic, key })}`;
        stored.push(await stream.publish({ subject, id: publicationId(topic, id), json }, signal));
      }
      return stored;
    },
    onReachable: (listener) => void listeners.push(listener),
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}
