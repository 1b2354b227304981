import type { NatsConnection } from "nats.ws";
import { eventSubject } from "../task/worker_event.ts";
import { type CancelSource, NatsCancels } from "./nats_cancels.ts";
import { streamPublishing } from "./nats_stream.ts";
import type { Stored, Transport } from "./transport.ts";

/** Publishes to the stream and waits for its acknowledgement. Owns `nc`: it is closed with the transport. */
export function natsTransport(nc: NatsConnection, source: CancelSource): Transport {
  const listeners: (() => void)[] = [];
  const cancels = new NatsCancels(nc, source);
  const stream = streamPublishing(nc, () => {
    cancels.lookAgain();
    for (const listener of listeners) listener();
  });
  return {
    batch: { events: 1, bytes: Infinity },
    async send(events, signal) {
      const stored: Stored[] = [];
      for (const event of events) {
        const subject = `${source.prefix}.${eventSubject(event.taskId, event.kind)}`;
        stored.push(await stream.publish({ ...event, subject }, signal));
      }
      return stored;
    },
    watchCancels: (taskId, requested) => cancels.watch(taskId, requested),
    onReachable: (listener) => void listeners.push(listener),
    async [Symbol.asyncDispose]() {
      cancels.close();
      await stream[Symbol.asyncDispose]();
    },
  };
}
