import type { ServerResponse } from "node:http";
import * as v from "valibot";
import type { Access } from "../access/access.ts";
import { Connection } from "../connection/connection.ts";
import type { ConnectionDeps, RequestContext } from "../connection/connection_deps.ts";
import type { Outcome } from "../connection/state.ts";
import type { Codec } from "../protocol/codec.ts";
import { ERROR_CODES } from "../protocol/error_codes.ts";
import { ClientId } from "../protocol/names.ts";
import type { ErrorBody } from "../protocol/server_frames.ts";
import { STREAM_PATH } from "../protocol/topics.ts";
import { type Refusal, tooMany } from "./admission.ts";
import { subscribeOf } from "./handshake.ts";
import { SseSocket } from "./sse_socket.ts";
import { type ConnectingOptions, STALLED_FACTOR } from "./connecting.ts";

/** What streams work with; most of it is as WebSockets have it. */
export type StreamServerOptions =
  & ConnectingOptions
  & {
    /** Packs frames as events. */
    readonly codec: Codec;
    /** A number in [0, 1), so that those who were lost together do not all come back together. */
    readonly random: () => number;
  };

/** A request for a stream. */
export type StreamRequest = {
  readonly query: URLSearchParams;
  /** `Last-Event-ID`: what was read last, which wins over `since`. */
  readonly lastEventId: string | undefined;
  readonly address: string;
  readonly access: Access;
  /** Headers of the answer beside those of every stream. */
  readonly headers: Readonly<Record<string, string>>;
};

/** Why there is no stream, before any of it: an HTTP status, and what an error frame would say. */
export type StreamRefusal = { readonly status: number; readonly error: ErrorBody };

type Subscribed = Extract<Outcome, { kind: "subscribe" }>;

/** When readers come back by themselves, ms: from this to twice as much. */
const RETRY_MS = 1_000;

/** Streams frames as Server-Sent Events: each stream is a {@link Connection} that subscribes once and asks nothing. */
export class TaskStreamServer {
  readonly #options: StreamServerOptions;
  readonly #open = new Map<Connection, SseSocket>();
  readonly #sweep: ReturnType<typeof setInterval>;
  #refusing = false;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    const everyMs = Math.max(250, options.heartbeatMs / 6);
    this.#sweep = setInterval(() => this.#beat(everyMs), everyMs);
  }

  /** The streams that are open. */
  get connections(): Iterable<Connection> {
    return this.#open.keys();
  }

  /** Refuses further streams. */
  refuseNew(): void {
    this.#refusing = true;
  }

  /** Ends every stream at once, without a word. */
  stop(): void {
    this.#refusing = true;
    clearInterval(this.#sweep);
    for (const socket of this.#open.values()) socket.terminate();
  }

  /** Begins a stream on `response`, or says why not and leaves `response` alone. Rejects when the log is out of reach. */
  async open(request: StreamRequest, response: ServerResponse): Promise<StreamRefusal | undefined> {
    const unready = this.#unready();
    if (unready !== undefined) return unready;
    const wait = this.#options.handshakes.take(request.address);
    if (wait !== undefined) {
      this.#options.refused("HANDSHAKES_PER_SECOND");
      return tooManyAtOnce(wait);
    }
    const connectionId = this.#options.newId();
    const clientId = request.query.get("client_id") ?? connectionId;
    if (!v.is(ClientId, clientId)) return invalid("client_id: must be 1–128 characters of A-Za-z0-9._:-");
    const admitted = this.#options.admission.admit({
      clientId,
      address: request.address,
      subject: request.access.subject,
    });
    if ("refusal" in admitted) {
      this.#options.refused(admitted.refusal.limit);
      return refusedPlace(admitted.refusal);
    }
    let isOpen = false;
    try {
      const deps = this.#options.deps();
      const judged = await this.#judge(request, deps);
      // The log may have been asked meanwhile.
      const refused = "error" in judged ? judged : this.#unready();
      if (refused !== undefined || "error" in judged || response.destroyed) return refused;
      isOpen = true;
      const socket = new SseSocket(response, request.headers, this.#retryMs());
      const identity = { connectionId, clientId, path: STREAM_PATH, codec: this.#options.codec };
      this.#begin(new Connection(socket, identity, deps), {
        socket,
        response,
        judged,
        access: request.access,
        release: admitted.place.release,
      });
      return undefined;
    } finally {
      if (!isOpen) admitted.place.release();
    }
  }

  #begin(
    connection: Connection,
    { socket, response, judged, access, release }: {
      readonly socket: SseSocket;
      readonly response: ServerResponse;
      readonly judged: Subscribed;
      readonly access: Access;
      readonly release: () => void;
    },
  ): void {
    this.#open.set(connection, socket);
    const closed = this.#options.onOpen({ connection, path: STREAM_PATH });
    response.once("close", () => {
      this.#open.delete(connection);
      release();
      connection.socketClosed();
      closed(socket.code);
    });
    connection.openWith(access, judged);
  }

  /** Answers the subscription that the request stands for, as its message type would on a WebSocket. */
  async #judge(
    { query, lastEventId, access }: StreamRequest,
    deps: ConnectionDeps,
  ): Promise<Subscribed | StreamRefusal> {
    const data = subscribeOf(query, lastEventId ?? query.get("since"));
    if (data === undefined) return invalid("topics: must name at least one, such as task:status");
    const frame = { type: "subscribe", id: this.#options.newId(), data };
    const outcome = await deps.messages.dispatch(frame, contextOf(deps, access));
    if (outcome.kind === "error") {
      const message = outcome.error.message.replace(/^data\./, "");
      return { status: ERROR_CODES[outcome.error.code].httpStatus, error: { ...outcome.error, message } };
    }
    if (outcome.kind !== "subscribe") throw new TypeError(`subscribe was answered with ${outcome.kind}`);
    const { maxTopics: max } = deps.limits;
    if (outcome.topics.length <= max) return outcome;
    const details = { limit: "MAX_TOPICS", max };
    const message = `a connection holds at most ${max} topics`;
    return { status: 413, error: { code: "LIMIT_EXCEEDED", message, details } };
  }

  #unready(): StreamRefusal | undefined {
    const message = this.#refusing ? "the gateway is going away" : this.#options.unready();
    if (message === undefined) return undefined;
    return { status: 503, error: { code: "SERVER_ERROR", message, details: { retry_after_ms: RETRY_MS } } };
  }

  #retryMs(): number {
    return Math.round(RETRY_MS * (1 + this.#options.random()));
  }

  #beat(everyMs: number): void {
    const { heartbeatMs, idleMs } = this.#options;
    for (const [connection, socket] of this.#open) {
      const { quietMs, stalledMs } = socket.passed(everyMs);
      if (stalledMs >= STALLED_FACTOR * idleMs) connection.close("idle");
      else if (quietMs >= heartbeatMs) socket.beat();
    }
  }
}

function contextOf({ clock, projection, router }: ConnectionDeps, access: Access): RequestContext {
  const { head } = router;
  return { path: STREAM_PATH, access, nowMs: clock.now(), epoch: projection.epoch, head, served: head };
}

function invalid(message: string): StreamRefusal {
  return { status: 400, error: { code: "INVALID_MESSAGE", message, details: {} } };
}

function tooManyAtOnce({ retryAfterMs }: { readonly retryAfterMs: number }): StreamRefusal {
  const message = "too many connections at once; try again later";
  return { status: 429, error: { code: "RATE_LIMITED", message, details: { retry_after_ms: retryAfterMs } } };
}

function refusedPlace(refusal: Refusal): StreamRefusal {
  const error = tooMany(refusal);
  const details = { ...error.details, retry_after_ms: RETRY_MS };
  const status = refusal.limit === "MAX_CONNECTIONS" ? 503 : 429;
  return { status, error: { ...error, details } };
}
