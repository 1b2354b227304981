import type { ErrorBody, ServerData } from "../protocol/server_frames.ts";
import { ClientError, isPassing } from "./client_error.ts";
import type { Clock } from "./clock.ts";
import type { Request } from "./requests.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { TopicLimits, TopicRequest } from "./topic_request.ts";

/** What requests about topics are made with. */
export type TopicHands = {
  /** Sends a frame; returns the id under which it is answered. */
  readonly post: (type: string, data: Request["data"]) => string;
  /** Told when the gateway does not answer, though everything that it sent has come. */
  readonly unanswered: () => void;
};

type UnderWay = {
  readonly request: TopicRequest;
  isOverdue: boolean;
  callOff: () => void;
};

/** What the gateway could not do just now is asked of it again after this. */
const AGAIN_MS = 1_000;

/** Has the gateway hold what is watched here: asks, and asks again. */
export class TopicRequests {
  readonly #subscriptions: Subscriptions;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #hands: TopicHands;
  readonly #underWay = new Map<string, UnderWay>();
  /** Pings, by the request that was overdue when they were sent. */
  readonly #pings = new Map<string, string>();
  /** Of the present connection, if there is one. */
  #limits: TopicLimits | undefined;
  #isSoon = false;
  /** Calls off the end of a wait: nothing is asked meanwhile. */
  #wait: (() => void) | undefined;

  constructor(subscriptions: Subscriptions, clock: Clock, timeoutMs: number, hands: TopicHands) {
    this.#subscriptions = subscriptions;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#hands = hands;
  }

  /** There is a connection. */
  up(limits: TopicLimits): void {
    this.#limits = limits;
    this.#sync();
  }

  /** There is none any more. */
  down(): void {
    this.#limits = undefined;
    this.#wait?.();
    this.#wait = undefined;
    for (const { callOff } of this.#underWay.values()) callOff();
    this.#underWay.clear();
    this.#pings.clear();
    this.#subscriptions.down();
  }

  /** Something else is watched: it is asked for once for all that changes in this turn. */
  changed(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    queueMicrotask(() => {
      this.#isSoon = false;
      this.#sync();
    });
  }

  /** The gateway took a request, if it is one of these. */
  taken(id: string, data: ServerData["subscribed"]): void {
    const request = this.#settle(id);
    if (request !== undefined) this.#subscriptions.taken(request, data);
    this.#sync();
  }

  /** The gateway refused a request, if it is one of these. */
  refused(id: string, { code, message, details }: ErrorBody): void {
    const request = this.#settle(id);
    if (request === undefined) return;
    const { topics, max = Infinity, retry_after_ms: retryAfterMs } = details;
    const isForGood = request.type === "subscribe" && !isPassing(code);
    let offending = !isForGood ? [] : Array.isArray(topics) ? topics.map(String) : request.topics;
    if (code === "LIMIT_EXCEEDED" && this.#limits !== undefined) {
      // Fewer than were tried, in any case.
      const maxTopics = Math.min(Number(max), this.#limits.maxTopics - 1);
      this.#limits = { ...this.#limits, maxTopics };
      offending = [];
    }
    this.#subscriptions.refused(request, offending, new ClientError(code, message, details));
    if (isForGood) this.changed();
    else this.#waitFor(typeof retryAfterMs === "number" ? retryAfterMs : AGAIN_MS);
  }

  /** A ping was answered. What was sent before it has come then, however slow the network is. */
  ponged(id: string): void {
    const overdue = this.#pings.get(id);
    this.#pings.delete(id);
    if (overdue !== undefined && this.#underWay.has(overdue)) this.#hands.unanswered();
  }

  #waitFor(ms: number): void {
    this.#wait?.();
    this.#wait = this.#clock.after(ms, () => {
      this.#wait = undefined;
      this.#sync();
    });
  }

  #settle(id: string): TopicRequest | undefined {
    const { request, callOff } = this.#underWay.get(id) ?? {};
    callOff?.();
    this.#underWay.delete(id);
    return request;
  }

  #sync(): void {
    // Those before may be answered after these. One that is overdue holds up nothing but what it is about.
    const isBusy = [...this.#underWay.values()].some(({ isOverdue }) => !isOverdue);
    if (this.#limits === undefined || this.#wait !== undefined || isBusy) return;
    for (const request of this.#subscriptions.holdings.sync(this.#limits)) {
      const { type, ...data } = request;
      const id = this.#hands.post(type, data);
      this.#underWay.set(id, { request, isOverdue: false, callOff: this.#due(id) });
    }
    this.#subscriptions.tellWaiting();
  }

  #due(id: string): () => void {
    return this.#clock.after(this.#timeoutMs, () => {
      const late = this.#underWay.get(id);
      if (late === undefined) return;
      late.isOverdue = true;
      late.callOff = this.#due(id);
      this.#pings.set(this.#hands.post("ping", {}), id);
      this.#sync();
    });
  }
}
