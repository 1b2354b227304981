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
  callOff: () => void;
  /** Whether it was sent on the present connection. */
  sent: boolean;
  /** Whether its turn has come: its time began with that. */
  begun: boolean;
};

/** Bounds of what is asked. */
export type RequestLimits = {
  /** How long an answer may take, from when it was asked for, or its turn came, connection or not; ms. */
  readonly timeoutMs: number;
  /** How many may wait while there is no connection. */
  readonly maxWaiting: number;
};

/** So many are under way at most: fewer after each that came too early, and one more after each that did not. */
const MOST_UNDER_WAY = 64;

/**
 * What was asked and not answered yet. All of it may be asked twice without harm, so a lost connection only means that
 * it is asked again on the next: until its time is up. The gateway takes so many a second; the others wait for their turn.
 */
export class Requests {
  readonly #clock: Clock;
  readonly #limits: RequestLimits;
  readonly #send: (request: Request) => void;
  readonly #pending = new Map<string, Pending>();
  #isUp = false;
  #underWay = 0;
  #window = MOST_UNDER_WAY;
  /** Calls off the end of a wait: nothing is sent meanwhile. */
  #wait: (() => void) | undefined;

  constructor(clock: Clock, limits: RequestLimits, send: (request: Request) => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#send = send;
  }

  /** Asks; rejects with a {@link ClientError}. */
  ask(request: Request): Promise<unknown> {
    const { maxWaiting } = this.#limits;
    if (!this.#isUp && this.#pending.size >= maxWaiting) {
      return Promise.reject(
        new ClientError("QUEUE_FULL", `more than ${maxWaiting} requests wait for a connection`),
      );
    }
    return new Promise((resolve, reject) => {
      const pending = { request, resolve, reject, callOff: () => {}, sent: false, begun: false };
      this.#pending.set(request.id, pending);
      this.#begin(pending);
      this.#pump();
    });
  }

  /** There is a connection: what waits is sent. */
  up(): void {
    this.#isUp = true;
    this.#pump();
  }

  /** There is none any more: what was sent may never have arrived. */
  down(): void {
    this.#isUp = false;
    this.#underWay = 0;
    this.#window = MOST_UNDER_WAY;
    this.#endWait();
    for (const pending of this.#pending.values()) pending.sent = false;
  }

  /** An answer came; false where nobody waits for it. */
  answered(id: string, data: unknown): boolean {
    return this.#settled(id, ({ resolve }) => resolve(data));
  }

  /** The gateway refused; false where nobody asked. One that was only too early is asked again when it may be. */
  refused(id: string, { code, message, details }: ErrorBody): boolean {
    const { retry_after_ms: retryAfterMs } = details;
    const pending = this.#pending.get(id);
    if (pending === undefined || code !== "RATE_LIMITED" || typeof retryAfterMs !== "number") {
      return this.#settled(id, ({ reject }) => reject(new ClientError(code, message, details)));
    }
    if (pending.sent) this.#underWay--;
    pending.sent = false;
    this.#window = Math.max(1, this.#window >> 1);
    this.#endWait();
    this.#wait = this.#clock.after(retryAfterMs, () => {
      this.#wait = undefined;
      this.#pump();
    });
    return true;
  }

  /** Nothing will ever be answered any more. */
  close(why: string): void {
    this.down();
    for (const id of [...this.#pending.keys()]) {
      this.#settle(id, ({ reject }) => reject(new ClientError("CLOSED", why)));
    }
  }

  #endWait(): void {
    this.#wait?.();
    this.#wait = undefined;
  }

  /** Its time begins. */
  #begin(pending: Pending): void {
    const { request: { id, type } } = pending;
    const { timeoutMs } = this.#limits;
    pending.callOff();
    pending.callOff = this.#clock.after(timeoutMs, () => {
      // Those before it have had as long.
      if (this.#isUp && !pending.begun) return this.#begin(pending);
      const why = this.#isUp && !pending.sent ? ": the gateway takes no more just now" : "";
      const message = `${type}: no answer within ${timeoutMs} ms${why}`;
      this.#settle(id, ({ reject }) => reject(new ClientError("TIMEOUT", message)));
    });
  }

  #pump(): void {
    if (!this.#isUp || this.#wait !== undefined) return;
    for (const pending of this.#pending.values()) {
      if (this.#underWay >= this.#window) return;
      if (pending.sent) continue;
      if (!pending.begun) this.#begin(pending);
      pending.begun = true;
      pending.sent = true;
      this.#underWay++;
      this.#send(pending.request);
    }
  }

  /** The gateway has settled it; false where there is no such request. */
  #settled(id: string, how: (pending: Pending) => void): boolean {
    if (!this.#pending.has(id)) return false;
    this.#window = Math.min(MOST_UNDER_WAY, this.#window + 1);
    this.#settle(id, how);
    return true;
  }

  #settle(id: string, how: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.callOff();
    if (pending.sent) this.#underWay--;
    how(pending);
    this.#pump();
  }
}
