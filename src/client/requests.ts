import type { ErrorBody } from "../protocol/server_frames.ts";
import { ClientError } from "./client_error.ts";
import type { Clock } from "./clock.ts";

/** What is asked of the gateway; its answer comes under the same `id`. */
export type Request = {
  readonly type: string;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
};

type Pending = {
  readonly request: Request;
  readonly resolve: (data: unknown) => void;
  readonly reject: (error: ClientError) => void;
  readonly callOff: () => void;
  /** Whether it was sent on the present connection. */
  sent: boolean;
};

/** Bounds of what is asked. */
export type RequestLimits = {
  /** How long an answer may take, from when it was asked for, connection or not; ms. */
  readonly timeoutMs: number;
  /** How many may wait while there is no connection. */
  readonly maxWaiting: number;
};

/**
 * What was asked and not answered yet. All of it may be asked twice without harm, so a lost connection only means that
 * it is asked again on the next: until its time is up.
 */
export class Requests {
  readonly #clock: Clock;
  readonly #limits: RequestLimits;
  readonly #send: (request: Request) => void;
  readonly #pending = new Map<string, Pending>();
  #isUp = false;

  constructor(clock: Clock, limits: RequestLimits, send: (request: Request) => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#send = send;
  }

  /** How many wait for an answer. */
  get size(): number {
    return this.#pending.size;
  }

  /** Asks; rejects with a {@link ClientError}. */
  ask(request: Request): Promise<unknown> {
    const { maxWaiting, timeoutMs } = this.#limits;
    if (!this.#isUp && this.#pending.size >= maxWaiting) {
      return Promise.reject(
        new ClientError("QUEUE_FULL", `more than ${maxWaiting} requests wait for a connection`),
      );
    }
    return new Promise((resolve, reject) => {
      const callOff = this.#clock.after(timeoutMs, () => {
        this.#pending.delete(request.id);
        reject(new ClientError("TIMEOUT", `${request.type}: no answer within ${timeoutMs} ms`));
      });
      const pending = { request, resolve, reject, callOff, sent: false };
      this.#pending.set(request.id, pending);
      if (this.#isUp) this.#sendNow(pending);
    });
  }

  /** There is a connection: what waits is sent. */
  up(): void {
    this.#isUp = true;
    for (const pending of [...this.#pending.values()]) if (!pending.sent) this.#sendNow(pending);
  }

  /** There is none any more: what was sent may never have arrived. */
  down(): void {
    this.#isUp = false;
    for (const pending of this.#pending.values()) pending.sent = false;
  }

  /** An answer came; false where nobody waits for it. */
  answered(id: string, data: unknown): boolean {
    return this.#settle(id, ({ resolve }) => resolve(data));
  }

  /** The gateway refused; false where nobody asked. One that was only too early is asked again when it may be. */
  refused(id: string, { code, message, details }: ErrorBody): boolean {
    const { retry_after_ms: retryAfterMs } = details;
    const pending = this.#pending.get(id);
    if (pending !== undefined && code === "RATE_LIMITED" && typeof retryAfterMs === "number") {
      pending.sent = false;
      this.#clock.after(retryAfterMs, () => {
        if (this.#isUp && !pending.sent && this.#pending.has(id)) this.#sendNow(pending);
      });
      return true;
    }
    return this.#settle(id, ({ reject }) => reject(new ClientError(code, message, details)));
  }

  /** Nothing will ever be answered any more. */
  close(why: string): void {
    this.#isUp = false;
    for (const id of [...this.#pending.keys()]) {
      this.#settle(id, ({ reject }) => reject(new ClientError("CLOSED", why)));
    }
  }

  #sendNow(pending: Pending): void {
    pending.sent = true;
    this.#send(pending.request);
  }

  #settle(id: string, how: (pending: Pending) => void): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined) return false;
    this.#pending.delete(id);
    pending.callOff();
    how(pending);
    return true;
  }
}
