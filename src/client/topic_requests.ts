import type { ErrorBody, ServerData } from "../protocol/server_frames.ts";
import { ClientError, isPassing } from "./client_error.ts";
import type { Hands } from "./hands.ts";
import type { Subscriptions } from "./subscriptions.ts";
import { MAX_RATE_HZ, type TopicLimits, type TopicRequest } from "./topic_request.ts";

type UnderWay = {
  readonly request: TopicRequest;
  /** The rate that it asks for. */
  readonly rateHz: number;
  /** How many pings were answered since it is overdue; undefined while it is not. */
  pongs: number | undefined;
  callOff: () => void;
};

/** What the gateway could not do just now is asked of it again after this. */
const AGAIN_MS = 1_000;

/** As if it had been asked for just now: an error under an id of the gateway's own. */
const UNASKED: TopicRequest = { type: "subscribe", topics: [], replay: "none" };

/** Has the gateway hold what is watched here: asks, and asks again. */
export class TopicRequests {
  readonly #hands: Hands;
  readonly #subscriptions: Subscriptions;
  readonly #timeoutMs: number;
  readonly #underWay = new Map<string, UnderWay>();
  /** Of the present connection, if there is one. */
  #limits: TopicLimits | undefined;
  #rateHz = MAX_RATE_HZ;
  #isSoon = false;
  /** Calls off the end of a wait: nothing is asked meanwhile. */
  #wait: (() => void) | undefined;

  constructor(hands: Hands, subscriptions: Subscriptions, timeoutMs: number) {
    this.#hands = hands;
    this.#subscriptions = subscriptions;
    this.#timeoutMs = timeoutMs;
  }

  /** So often a second progress and values come at most, by what the gateway took. */
  get rateHz(): number {
    return this.#rateHz;
  }

  /** There is a connection. */
  up(limits: TopicLimits): void {
    this.#limits = limits;
    this.#sync();
  }

  /** There is none any more. */
  down(): void {
    this.#limits = undefined;
    this.#rateHz = MAX_RATE_HZ;
    this.#wait?.();
    this.#wait = undefined;
    for (const { callOff } of this.#underWay.values()) callOff();
    this.#underWay.clear();
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
    const { request, rateHz } = this.#settle(id);
    this.#rateHz = rateHz ?? this.#rateHz;
    if (request !== undefined) this.#subscriptions.taken(request, data);
    this.#sync();
  }

  /** The gateway refused a request, if it is one of these; or it tells by itself of topics that it holds no more. */
  refused(id: string, { code, message, details }: ErrorBody): void {
    const { request = id.startsWith("error_") ? UNASKED : undefined } = this.#settle(id);
    if (request === undefined) return;
    const { topics, max = Infinity, retry_after_ms: retryAfterMs } = details;
    const isForGood = request.type === "subscribe" && !isPassing(code);
    let offending = !isForGood ? [] : Array.isArray(topics) ? topics.map(String) : request.topics;
    if (code === "LIMIT_EXCEEDED" && this.#limits !== undefined) {
      // Fewer than were tried, in any case.
      const most = Math.min(Number(max), this.#limits.max_topics - 1);
      this.#limits = { ...this.#limits, max_topics: most };
      offending = [];
    }
    this.#subscriptions.refused(request, offending, new ClientError(code, message, details));
    if (isForGood) this.changed();
    else this.#waitFor(typeof retryAfterMs === "number" ? retryAfterMs : AGAIN_MS);
  }

  /**
   * A ping was answered. The second that is since a request is overdue was sent after that: what the gateway answered before
   * has come then, however slow the network is.
   */
  ponged(): void {
    for (const late of this.#underWay.values()) {
      if (late.pongs !== undefined && ++late.pongs > 1) {
        return this.#hands.step({ kind: "useless", why: "the gateway did not answer in time" });
      }
    }
  }

  #waitFor(ms: number): void {
    this.#wait?.();
    this.#wait = this.#hands.clock.after(ms, () => {
      this.#wait = undefined;
      this.#sync();
    });
  }

  #settle(id: string): Partial<UnderWay> {
    const settled = this.#underWay.get(id);
    settled?.callOff();
    this.#underWay.delete(id);
    return settled ?? {};
  }

  #sync(): void {
    // Those before may be answered after these. One that is overdue holds up nothing but what it is about.
    const isBusy = [...this.#underWay.values()].some(({ pongs }) => pongs === undefined);
    if (this.#limits === undefined || this.#wait !== undefined || isBusy) return;
    const { rateHz, holdings } = this.#subscriptions;
    const isPaced = rateHz !== this.#rateHz;
    const requests = holdings.sync(this.#limits);
    // A rate goes along with topics: where there are none to ask for, with one that is held, to which it does nothing else.
    const held = isPaced && requests.every(({ type }) => type !== "subscribe") && holdings.anyHeld;
    if (held) requests.push({ type: "subscribe", topics: [held], replay: "none" });
    for (const request of requests) {
      const { type, ...data } = request;
      const isAsked = isPaced && type === "subscribe";
      const id = this.#hands.post(type, isAsked ? { ...data, max_rate_hz: rateHz } : data);
      const asked = isAsked ? rateHz : this.#rateHz;
      this.#underWay.set(id, { request, rateHz: asked, pongs: undefined, callOff: this.#due(id) });
    }
    this.#subscriptions.tellWaiting();
  }

  #due(id: string): () => void {
    return this.#hands.clock.after(this.#timeoutMs, () => {
      const late = this.#underWay.get(id);
      if (late === undefined) return;
      late.pongs ??= 0;
      late.callOff = this.#due(id);
      this.#hands.ping();
      this.#sync();
    });
  }
}
