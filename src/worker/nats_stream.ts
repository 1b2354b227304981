import { headers, type NatsConnection } from "nats.ws";
import * as v from "valibot";
import { abortable } from "./clock.ts";
import type { Stored } from "./transport.ts";
import { messageOf, WorkerError } from "./worker_error.ts";

/** How long an acknowledgement is waited for, in ms, before the same message is sent again. */
const ACK_TIMEOUT_MS = 5_000;

const encoder = new TextEncoder();

/** A message for the stream: JSON under a subject, and the id by which the stream knows it again. */
export type StreamMessage = {
  readonly subject: string;
  readonly id: string;
  readonly json: string;
  readonly traceparent?: string;
};

/** A stream that is published to. */
export interface StreamPublishing extends AsyncDisposable {
  /** Publishes and waits for the acknowledgement; rejects with a {@link WorkerError}. */
  publish(message: StreamMessage, signal: AbortSignal): Promise<Stored>;
}

/**
 * Publishes to whichever stream takes the subject. Owns `nc`: it is closed with this. `reconnected` is called whenever the
 * connection is back.
 *
 * The stream knows a message that comes again by its id for as long as its `duplicate_window`. One whose acknowledgement was
 * lost in an outage longer than that may be stored twice; of an event, the same task comes of it.
 */
export function streamPublishing(nc: NatsConnection, reconnected: () => void): StreamPublishing {
  const js = nc.jetstream({ timeout: ACK_TIMEOUT_MS });
  /** Aborts when the connection at hand is lost: what is in flight on it is tried again on the next one. */
  let life = new AbortController();
  let closed: WorkerError | undefined;

  // The client does not end this loop when it is closed; it is garbage then, and nobody may wait for it.
  void (async () => {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") {
        life.abort(new WorkerError("unreachable", `lost the connection to NATS at ${String(status.data)}`));
      } else if (status.type === "reconnect") {
        life = new AbortController();
        reconnected();
      }
    }
  })();
  const ended = nc.closed().then((error) => {
    const why = error === undefined ? "" : `: ${error.message}`;
    closed = new WorkerError("refused", `the connection to NATS was closed for good${why}`, { cause: error });
    life.abort(closed);
  });

  return {
    async publish({ subject, id, json, traceparent }, signal) {
      if (closed !== undefined) throw closed;
      const head = headers();
      if (traceparent !== undefined) head.set("traceparent", traceparent);
      const { signal: lost } = life;
      lost.throwIfAborted();
      try {
        // An attempt left behind does no harm: whichever copy comes first is stored, the other is its duplicate.
        const acked = js.publish(subject, encoder.encode(json), { msgID: id, headers: head });
        const { seq, duplicate } = await abortable(abortable(acked, lost), signal);
        return { seq, duplicate };
      } catch (error) {
        throw error instanceof WorkerError ? error : publishError(error, subject);
      }
    },
    async [Symbol.asyncDispose]() {
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
