import { headers, type NatsConnection } from "nats.ws";
import * as v from "valibot";
import { eventSubject } from "../task/worker_event.ts";
import { abortable } from "./clock.ts";
import { type CancelSource, NatsCancels } from "./nats_cancels.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Stored, Transport } from "./transport.ts";
import { messageOf, WorkerError } from "./worker_error.ts";

/** How long an acknowledgement is waited for, in ms, before the same event is sent again. */
const ACK_TIMEOUT_MS = 5_000;

const encoder = new TextEncoder();

/**
 * Publishes to the stream and waits for its acknowledgement. Owns `nc`: it is closed with the transport.
 *
 * The stream knows an event that comes again by its id for as long as its `duplicate_window`. An event whose
 * acknowledgement was lost in an outage longer than that may be stored twice; the same task comes of it.
 */
export function natsTransport(nc: NatsConnection, source: CancelSource): Transport {
  const js = nc.jetstream({ timeout: ACK_TIMEOUT_MS });
  const listeners: (() => void)[] = [];
  /** Aborts when the connection at hand is lost: what is in flight on it is tried again on the next one. */
  let life = new AbortController();
  let closed: WorkerError | undefined;
  const cancels = new NatsCancels(nc, source);

  // The client does not end this loop when it is closed; it is garbage then, and nobody may wait for it.
  void (async () => {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") {
        life.abort(new WorkerError("unreachable", `lost the connection to NATS at ${String(status.data)}`));
      } else if (status.type === "reconnect") {
        life = new AbortController();
        cancels.lookAgain();
        for (const listener of listeners) listener();
      }
    }
  })();
  const ended = nc.closed().then((error) => {
    const why = error === undefined ? "" : `: ${error.message}`;
    closed = new WorkerError("refused", `the connection to NATS was closed for good${why}`, { cause: error });
    life.abort(closed);
  });

  async function publish(event: Outgoing, signal: AbortSignal): Promise<Stored> {
    if (closed !== undefined) throw closed;
    const subject = `${source.prefix}.${eventSubject(event.taskId, event.kind)}`;
    const head = headers();
    if (event.traceparent !== undefined) head.set("traceparent", event.traceparent);
    const { signal: lost } = life;
    lost.throwIfAborted();
    try {
      // An attempt left behind does no harm: whichever copy comes first is stored, the other is its duplicate.
      const acked = js.publish(subject, encoder.encode(event.json), { msgID: event.id, headers: head });
      const { seq, duplicate } = await abortable(abortable(acked, lost), signal);
      return { seq, duplicate };
    } catch (error) {
      throw error instanceof WorkerError ? error : publishError(error, subject);
    }
  }

  return {
    batch: { events: 1, bytes: Infinity },
    async send(events, signal) {
      const stored: Stored[] = [];
      for (const event of events) stored.push(await publish(event, signal));
      return stored;
    },
    watchCancels: (taskId, requested) => cancels.watch(taskId, requested),
    onReachable: (listener) => void listeners.push(listener),
    async [Symbol.asyncDispose]() {
      cancels.close();
      await nc.close();
      await ended;
    },
  };
}

const NatsFailure = v.object({
  code: v.optional(v.string()),
  message: v.string(),
  api_error: v.optional(
    v.object({
      code: v.number(),
      err_code: v.optional(v.number(), 0),
      description: v.optional(v.string(), ""),
    }),
  ),
});

/** Refusals that no further try will change, by the NATS client's own codes. */
const REFUSED = new Set([
  "PERMISSIONS_VIOLATION",
  "AUTHORIZATION_VIOLATION",
  "MAX_PAYLOAD_EXCEEDED",
  "BAD_SUBJECT",
]);

/**
 * JetStream's `err_code` of a cluster that is still storing an event of this id, which was sent before: whether it has it is
 * known in a moment.
 */
const ID_IN_PROCESS = 10158;

/** Why a publish failed: so that trying again is of no use, or of some. The client's errors are known by their shape. */
export function publishError(error: unknown, subject: string): WorkerError {
  const parsed = v.safeParse(NatsFailure, error);
  if (!parsed.success) return unreachable(`publish to ${subject}: ${messageOf(error)}`, error);
  const { code, message, api_error: api } = parsed.output;
  if (code === "PERMISSIONS_VIOLATION" && message.includes("for Subscription")) {
    // The event may well be stored, but nobody can tell us.
    const hint = "a worker may need an inboxPrefix that its user may subscribe to";
    return new WorkerError("refused", `acknowledgements cannot reach us: ${message}; ${hint}`, {
      cause: error,
    });
  }
  if (REFUSED.has(code ?? "")) return refused(`${subject}: ${message}`, error);
  const isPassing = api?.code === 408 || api?.code === 429 || api?.err_code === ID_IN_PROCESS;
  if (api !== undefined && api.code >= 400 && api.code < 500 && !isPassing) {
    return refused(`${subject}: ${api.description || message} (${api.code})`, error);
  }
  if (code === "503") {
    return unreachable(`no stream takes ${subject} (503); is it there, and JetStream on?`, error);
  }
  if (code === "TIMEOUT") {
    return unreachable(`${subject} was not acknowledged within ${ACK_TIMEOUT_MS} ms`, error);
  }
  return unreachable(`publish to ${subject}: ${message}`, error);
}

function refused(message: string, cause: unknown): WorkerError {
  return new WorkerError("refused", `NATS refuses ${message}`, { cause });
}

function unreachable(message: string, cause: unknown): WorkerError {
  return new WorkerError("unreachable", message, { cause });
}
