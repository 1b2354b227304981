import type { JetStreamManager, NatsConnection } from "nats.ws";
import { partitionOf, placeOf } from "../protocol/partitions.ts";
import type { TaskId } from "../protocol/names.ts";
import { eventSubject, parseRecord } from "../task/worker_event.ts";
import type { Clock } from "./clock.ts";
import type { CancelRequest } from "./transport.ts";

/** How long an answer is waited for, in ms. */
const ANSWER_TIMEOUT_MS = 2_000;

/** How long until the stream is asked again, in ms. */
const LOOK_AGAIN_MS = 5_000;

type Watched = {
  readonly stream: string;
  readonly subject: string;
  readonly read: (body: Uint8Array) => void;
  /** Whether the stream has told, and was given the time to know all by then. */
  isSure: boolean;
  stopWaiting?: () => void;
};

/** Where requests to cancel are found. */
export type CancelSource = {
  readonly clock: Clock;
  readonly prefix: string;
  readonly stream: string;
  /** Into how many partitions NATS maps the tasks; undefined where it does not. */
  readonly partitions?: number | undefined;
};

/**
 * Notices requests to cancel: new ones by subscription, earlier ones and those missed in an outage by a look at the
 * last one in the stream. A user that may do neither still reports; its tasks just cannot be cancelled.
 */
export class NatsCancels {
  readonly #nc: NatsConnection;
  readonly #source: CancelSource;
  readonly #watched = new Set<Watched>();
  #manager: Promise<JetStreamManager> | undefined;
  #denied = false;

  constructor(nc: NatsConnection, source: CancelSource) {
    this.#nc = nc;
    this.#source = source;
  }

  /** Calls `requested` for the last earlier request to cancel `taskId` and for each new one, until stopped. */
  watch(taskId: TaskId, requested: (request: CancelRequest) => void): () => void {
    if (this.#nc.isClosed()) return () => {};
    const relative = eventSubject(taskId, "cancel_requested");
    const read = (body: Uint8Array) => {
      const parsed = parseRecord({ seq: 0, time: 0, subject: relative, body });
      if (!("event" in parsed) || parsed.event.kind !== "cancel_requested") return;
      const { attempt, reason } = parsed.event.body;
      requested({ attempt, ...(typeof reason === "string" ? { reason } : {}) });
    };
    const { partitions } = this.#source;
    const { stream, prefix } = placeOf(this.#source, partitions && partitionOf(taskId, partitions));
    const watched: Watched = { stream, subject: `${prefix}.${relative}`, read, isSure: false };
    // Subscribed before the stream is asked, so that no request falls between the two.
    const subscription = this.#nc.subscribe(watched.subject, {
      callback: (error, message) => {
        if (error === null) read(message.data);
      },
    });
    this.#watched.add(watched);
    void this.#look(watched);
    return () => {
      this.#watched.delete(watched);
      watched.stopWaiting?.();
      if (!this.#nc.isClosed()) subscription.unsubscribe();
    };
  }

  /** Looks for requests that were missed while the connection was lost. */
  lookAgain(): void {
    this.#denied = false;
    for (const watched of this.#watched) {
      watched.stopWaiting?.();
      watched.isSure = false;
      void this.#look(watched);
    }
  }

  /** Stops all watching. */
  close(): void {
    for (const watched of this.#watched) watched.stopWaiting?.();
    this.#watched.clear();
  }

  /**
   * Never rejects: without an answer it asks again later, without permission it leaves it. And once more where it was answered:
   * in a cluster it may be answered by a node that lags behind, while other nodes do not know yet that we listen.
   */
  async #look(watched: Watched): Promise<void> {
    delete watched.stopWaiting;
    if (this.#denied) return;
    try {
      const body = await this.#lastBody(watched);
      if (!this.#watched.has(watched)) return;
      if (body !== undefined) watched.read(body);
      if (!watched.isSure) this.#lookLater(watched);
      watched.isSure = true;
    } catch (error) {
      if (codeOf(error) === "PERMISSIONS_VIOLATION") this.#denied = true;
      else if (this.#watched.has(watched)) this.#lookLater(watched);
    }
  }

  #lookLater(watched: Watched): void {
    if (this.#nc.isClosed()) return;
    watched.stopWaiting = this.#source.clock.after(LOOK_AGAIN_MS, () => void this.#look(watched));
  }

  /** The body of the last message on the subject; undefined when there is none. */
  async #lastBody({ stream, subject }: Watched): Promise<Uint8Array | undefined> {
    try {
      const api = `$JS.API.DIRECT.GET.${stream}.${subject}`;
      const { headers, data } = await this.#nc.request(api, "", { timeout: ANSWER_TIMEOUT_MS });
      if (headers === undefined || headers.code < 400) return data;
      if (headers.code === 404) return undefined;
    } catch (error) {
      if (codeOf(error) === "PERMISSIONS_VIOLATION") throw error;
    }
    // A stream without `allow_direct` is silent there, and answers here.
    this.#manager ??= this.#nc.jetstreamManager({ checkAPI: false, timeout: ANSWER_TIMEOUT_MS });
    try {
      return (await (await this.#manager).streams.getMessage(stream, { last_by_subj: subject })).data;
    } catch (error) {
      if (codeOf(error) === "404") return undefined;
      throw error;
    }
  }
}

/** The NATS client's code of an error: `nats` and `nats.ws` have error classes of their own, the member is one. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
