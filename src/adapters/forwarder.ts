import type { Kind } from "../task/worker_event.ts";
import { systemClock } from "../worker/clock.ts";
import type { Token } from "../worker/http_request.ts";
import { httpTransport } from "../worker/http_transport.ts";
import { outgoing, parseTaskId } from "../worker/outgoing.ts";
import { Sender } from "../worker/sender.ts";
import type { Transport } from "../worker/transport.ts";
import { WorkerError } from "../worker/worker_error.ts";

/** What another system says of a task of its own: an event, as a worker would write it. */
export type SaidEvent = {
  readonly taskId: string;
  readonly kind: Kind;
  readonly body: Readonly<Record<string, unknown>>;
  /** When it happened, ms since the epoch. */
  readonly atMs: number;
  /** By which the log knows it when it comes again. Default: one of its own. */
  readonly id?: string;
};

/** What a forwarder works with. */
export type ForwarderOptions = {
  /** Told of each event that will never be in the log, and of outages, once a minute. */
  readonly onTrouble: (trouble: WorkerError, event?: SaidEvent) => void;
};

/** So many events are on their way; who has more waits. */
const MAX_PENDING = 1_000;
/** So many tasks are told of at the same time. */
const MAX_IN_FLIGHT = 32;

/** A forwarder to the gateway at `url` (`http://…`, `https://…`). */
export function forwarderTo(url: URL, options: ForwarderOptions & { readonly token?: Token }): Forwarder {
  const { token } = options;
  // Nobody here asks for requests to cancel.
  return new Forwarder(httpTransport(url, { clock: systemClock, token, cancelPollMs: Infinity }), options);
}

/**
 * Brings events of other systems into the log as they come: those of a task in their order, through outages, each once by its
 * id. Progress that waits while newer comes may be left out.
 */
export class Forwarder implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #sender: Sender;
  readonly #onTrouble: ForwarderOptions["onTrouble"];
  #pending = 0;
  #room: (() => void)[] = [];
  /** How many are in the log, progress that newer took the place of included, and how many never will be. */
  readonly counts: { stored: number; refused: number } = { stored: 0, refused: 0 };

  constructor(transport: Transport, { onTrouble }: ForwarderOptions) {
    this.#transport = transport;
    this.#onTrouble = onTrouble;
    const limits = { maxQueued: 2 * MAX_PENDING, maxInFlight: MAX_IN_FLIGHT, deadlineMs: Infinity };
    this.#sender = new Sender(transport, {
      clock: systemClock,
      limits,
      onTrouble: (trouble) => onTrouble(trouble),
    });
  }

  /** Takes an event over; resolves as soon as there is room for the next. One that breaks a rule is told of as trouble. */
  async forward(event: SaidEvent): Promise<void> {
    while (this.#pending >= MAX_PENDING) await new Promise<void>((resolve) => this.#room.push(resolve));
    const { taskId, kind, body, atMs, id = crypto.randomUUID() } = event;
    const attempt = typeof body.attempt === "number" ? body.attempt : 1;
    let written: ReturnType<typeof outgoing>;
    try {
      const { at: _, ...rest } = body;
      written = outgoing({ id, taskId: parseTaskId(taskId), kind, attempt }, rest, atMs);
    } catch (error) {
      if (!(error instanceof WorkerError)) throw error;
      return this.#refused(error, event);
    }
    this.#pending++;
    const isTaken = this.#sender.offer(written, (outcome) => {
      this.#pending--;
      for (const go of this.#room.splice(0)) go();
      if (outcome.kind === "failed") this.#refused(outcome.error, event);
      else this.counts.stored++;
    });
    if (!isTaken) throw new Error("The outbox is full, though there is room for all that may be pending");
  }

  /** Resolves when every event that was taken over has come to its end. */
  flush(): Promise<void> {
    return this.#sender.flush();
  }

  /** Ends it at once: what is still on its way is told of as trouble. {@link flush} before. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#sender.close();
    await this.#transport[Symbol.asyncDispose]();
  }

  #refused(error: WorkerError, event: SaidEvent): void {
    this.counts.refused++;
    this.#onTrouble(error, event);
  }
}
