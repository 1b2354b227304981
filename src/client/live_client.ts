import type { AsOf, ServerData, ServerFrame, TaskStatusData } from "../protocol/server_frames.ts";
import { ClientError } from "./client_error.ts";
import type { At, Client, ClientOptions } from "./client_interface.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type ConnectionState, stateOf } from "./connection_state.ts";
import { listenToDevice } from "./device.ts";
import type { Hands } from "./hands.ts";
import { Lateness } from "./lateness.ts";
import { type Link, type LinkEffect, type LinkInput, stepLink, type TimerName } from "./link.ts";
import { guarded } from "./listener.ts";
import { Renewal } from "./renewal.ts";
import { type Request, Requests } from "./requests.ts";
import type { OpenSocket, Socket } from "./socket.ts";
import type { SubscribeOptions, Subscription, TaskFilter, TasksPage } from "./source.ts";
import { States } from "./states.ts";
import type { Store } from "./store.ts";
import { Stores } from "./stores.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { Asking, SharedClient, TabRole, TabShare } from "./tab_sharing.ts";
import { taskStore, type TaskView } from "./task_store.ts";
import { filterKey, tasksStore, type TasksView } from "./tasks_store.ts";
import { Told } from "./told.ts";
import { type Cursor, isTooLong, type TopicLimits } from "./topic_request.ts";
import { TopicRequests } from "./topic_requests.ts";
import { socketsOf } from "./transport.ts";
import type { PushedFrame, Watch } from "./watch.ts";

/** The client of one connection after the other. */
export class LiveClient implements Client, SharedClient {
  readonly #url: URL;
  readonly #options: ClientOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #openSocket: OpenSocket;
  readonly #share: TabShare | undefined;
  readonly #requests: Requests;
  readonly #subscriptions = new Subscriptions();
  readonly #topics: TopicRequests;
  readonly #lateness: Lateness;
  readonly #renewal: Renewal | undefined;
  readonly #timers = new Map<TimerName, () => void>();
  readonly #states = new States();
  readonly #stores = new Stores();
  #stopListening: () => void;
  #link: Link = { kind: "idle" };
  #socket: Socket | undefined;
  /** Of the gateway that greeted last. */
  #limits: TopicLimits = { max_topics: 256, max_message_bytes: 65_536, max_url_bytes: Infinity };
  #sent = 0;

  constructor(url: URL, options: ClientOptions) {
    this.#url = url;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    const open = options.open ?? socketsOf(options);
    this.#share = options.tabs?.({ ...options, url: url.href, clock: this.#clock, open });
    this.#openSocket = this.#share?.open ?? open;
    const { requestTimeoutMs: timeoutMs = 10_000, maxWaiting = 1_024 } = options;
    this.#requests = new Requests(this.#clock, { timeoutMs, maxWaiting }, (request) => this.#send(request));
    const hands: Hands = {
      clock: this.#clock,
      post: (type, data) => this.#post(type, data),
      ping: () => this.#ping(),
      step: (input) => this.#step(input),
    };
    this.#topics = new TopicRequests(hands, this.#subscriptions, timeoutMs);
    this.#lateness = new Lateness(hands, (isLate) => this.#subscriptions.late(isLate));
    this.#renewal = options.token && new Renewal(hands, options.token);
    this.#stopListening = listenToDevice(hands.step);
    this.#share?.begin(this);
    this.#step({ kind: "start" });
  }

  get state(): ConnectionState {
    return this.#states.current;
  }

  get tab(): TabRole {
    return this.#share?.role ?? "own";
  }

  get cursor(): Cursor | undefined {
    return this.#subscriptions.cursor;
  }

  get isLate(): boolean {
    return this.#subscriptions.isLate;
  }

  onState(listener: (state: ConnectionState) => void): () => void {
    return this.#states.on(listener);
  }

  subscribe(
    topics: string | readonly string[],
    onFrame: (frame: PushedFrame) => void,
    {
      replay = "latest",
      maxRateHz = this.#options.maxRateHz,
      onLive,
      onTruncated,
      onError,
    }: SubscribeOptions = {},
  ): Subscription {
    return this.watch({
      topics: [...new Set(typeof topics === "string" ? [topics] : topics)],
      replay,
      maxRateHz,
      onFrame: guarded(onFrame),
      onLive: guarded(onLive),
      onTruncated: guarded(onTruncated),
      onError: guarded(onError),
    });
  }

  watch(asking: Asking): Subscription {
    const watch: Watch = { told: new Told(), ...asking };
    const error = watch.topics.some(isTooLong)
      ? new ClientError("TOPIC_NOT_FOUND", "its name is too long")
      : this.#closed();
    this.#subscriptions.add(watch);
    if (error !== undefined) queueMicrotask(() => this.#subscriptions.refuse(watch, error));
    return this.#subscription(watch);
  }

  resume(askings: readonly Asking[], since: Cursor): readonly Subscription[] | undefined {
    const watches = askings.map((asking): Watch => ({ told: new Told(), ...asking }));
    const how = this.#subscriptions.resume(watches, since);
    if (how === "later") return undefined;
    if (how === "anew") this.anew();
    return watches.map((watch) => this.#subscription(watch));
  }

  #subscription(watch: Watch): Subscription {
    this.#topics.changed();
    return {
      unsubscribe: () => {
        this.#subscriptions.remove(watch);
        this.#topics.changed();
      },
    };
  }

  task(id: string): Store<TaskView> {
    return this.#stores.of(`task ${id}`, () => taskStore(this, id));
  }

  tasks(filter: TaskFilter = {}): Store<TasksView> {
    return this.#stores.of(`tasks ${filterKey(filter)}`, () => tasksStore(this, filter, this.#clock));
  }

  getTask(
    id: string,
    { at }: { readonly at?: At } = {},
  ): Promise<TaskStatusData & { readonly at?: AsOf }> {
    return this.ask("get_task", { task_id: id, at });
  }

  getTasks(
    query: TaskFilter & { readonly limit?: number; readonly page?: number; readonly at?: At } = {},
  ): Promise<TasksPage> {
    return this.ask("get_tasks", query);
  }

  getHistory(
    id: string,
    { afterSeq, limit }: { readonly afterSeq?: number; readonly limit?: number } = {},
  ): Promise<ServerData["task_history"]> {
    return this.ask("get_history", { task_id: id, after_seq: afterSeq, limit });
  }

  cancel(id: string, reason?: string): Promise<{ readonly task_id: string; readonly seq: number }> {
    return this.ask("cancel_task", { task_id: id, reason });
  }

  publish(
    topic: string,
    payload: unknown,
    key?: string,
  ): Promise<{ readonly topic: string; readonly seq: number }> {
    return this.ask("publish", { topic, payload, key });
  }

  close(): void {
    this.#step({ kind: "close" });
  }

  anew(): void {
    this.#step({ kind: "anew" });
  }

  late(isLate: boolean): void {
    this.#subscriptions.late(isLate);
  }

  /** What is undefined is not sent. */
  ask<T>(type: string, data: Request["data"]): Promise<T> {
    const closed = this.#closed();
    if (closed !== undefined) return Promise.reject(closed);
    // The answer is what the gateway says it is: it is ours, and of the version that serves this client.
    return this.#requests.ask({ type, id: this.#newId(type), data }) as Promise<T>;
  }

  #closed(): ClientError | undefined {
    return this.#link.kind === "closed" ? new ClientError("CLOSED", this.#link.why) : undefined;
  }

  #step(input: LinkInput): void {
    const nowMs = this.#clock.now();
    const [link, effects] = stepLink(this.#link, input, {
      nowMs,
      elapsedMs: this.#clock.elapsed?.() ?? nowMs,
      chance: this.#random(),
      limits: this.#options,
    });
    this.#link = link;
    for (const effect of effects) this.#perform(effect);
    this.tellState();
  }

  #perform(effect: LinkEffect): void {
    switch (effect.kind) {
      case "authorize":
        return this.#authorize(effect.socket);
      case "open":
        return this.#open(effect.socket, effect.token);
      case "drop":
        this.#socket?.close();
        this.#socket = undefined;
        return;
      case "ping":
        return this.#ping();
      case "up":
        return this.#requests.up();
      case "down":
        this.#renewal?.end();
        this.#requests.down();
        this.#topics.down();
        return this.#lateness.end();
      case "over":
        this.#stopListening();
        this.#subscriptions.close();
        return this.#requests.close(effect.why);
      case "set":
      case "clear":
        return this.#set(effect.timer, effect.kind === "set" ? effect.ms : undefined);
    }
  }

  #set(name: TimerName, ms: number | undefined): void {
    this.#timers.get(name)?.();
    if (ms === undefined) return;
    this.#timers.set(name, this.#clock.after(ms, () => this.#step({ kind: "timer", name })));
  }

  #authorize(socket: number): void {
    // The token of a tab is for its own connection, and goes nowhere else.
    const token = this.tab === "following" ? undefined : this.#options.token;
    if (token === undefined) return this.#step({ kind: "token", socket, token });
    Promise.resolve().then(token).then(
      (value) => this.#step({ kind: "token", socket, token: value }),
      () => this.#step({ kind: "tokenFailed", socket }),
    );
  }

  #open(socket: number, token: string | undefined): void {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries({ batch: "1", client_id: this.#options.clientId, token })) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    this.#socket = this.#openSocket(url.href, {
      message: (text) => this.#heard(socket, text),
      ended: (code, why = "") => this.#step({ kind: "ended", socket, code, why }),
    });
  }

  #heard(socket: number, text: string): void {
    const frame = parsed(text);
    if (!frame?.type) return;
    this.#step({ kind: "heard", socket });
    for (const one of frame.type === "batch" ? frame.data.frames : [frame]) {
      // It may be left because of what came before.
      if ("socket" in this.#link && this.#link.socket === socket) this.#frame(socket, one);
    }
  }

  #frame(socket: number, frame: ServerFrame): void {
    switch (frame.type) {
      case "welcome": {
        const { interval_ms: intervalMs, timeout_ms: timeoutMs } = frame.data.heartbeat;
        // Over streams little is told before there is one.
        this.#limits = { ...this.#limits, max_url_bytes: Infinity, ...frame.data.limits };
        this.#renewal?.begin(leftOf(frame));
        this.#step({ kind: "greeted", socket, heartbeat: { intervalMs, timeoutMs } });
        return this.#topics.up(this.#limits);
      }
      case "authenticated":
        return this.#renewal?.taken(frame.id, leftOf(frame));
      case "drain":
        return this.#step({ kind: "drain", socket, afterMs: frame.data.reconnect_after_ms });
      case "pong":
        if (frame.data.seq !== undefined) this.#subscriptions.moved(frame.data.seq);
        return this.#ponged(frame.id);
      case "subscribed":
      case "unsubscribed":
        return this.#topics.taken(frame.id, frame.data);
      case "error":
        if (frame.id.startsWith("ping")) return this.#ponged(frame.id);
        this.#renewal?.refused(frame.id, frame.error);
        if (this.#requests.refused(frame.id, frame.error)) return;
        return this.#topics.refused(frame.id, frame.error);
      case "task_list":
      case "task_status":
        if (this.#requests.answered(frame.id, frame.data)) return;
        return this.#pushed(frame);
      case "task_progress":
      case "data_update":
      case "strategy_update":
      case "channel_update":
      case "gap":
      case "caught_up":
        return this.#pushed(frame);
      default:
        // What newer gateways push is for newer clients; what they answer is whose who asked.
        this.#requests.answered((frame as { id: string }).id, (frame as { data?: unknown }).data);
    }
  }

  #pushed(frame: PushedFrame): void {
    // Of the present state and of the past nobody can be told in time.
    const isNew = frame.seq !== undefined && frame.snapshot !== true && !this.#subscriptions.isReplaying;
    if (isNew) this.#lateness.came(frame.timestamp, 1_000 / this.#topics.rateHz);
    this.#subscriptions.pushed(frame);
  }

  /** A ping was answered, if only by that it came too early: all that was sent before has come. */
  #ponged(id: string): void {
    this.#lateness.ponged(id);
    this.#topics.ponged();
  }

  #ping(): void {
    this.#lateness.pinged(this.#post("ping", {}));
  }

  /** Sends a frame; returns its id, under which it is answered. */
  #post(type: string, data: Request["data"]): string {
    const id = this.#newId(type);
    this.#send({ type, id, data });
    return id;
  }

  #send(request: Request): void {
    this.#socket?.send(JSON.stringify({ ...request, timestamp: this.#clock.now() }));
  }

  #newId(type: string): string {
    return `${type}_${++this.#sent}`;
  }

  tellState(): void {
    const own = stateOf(this.#link);
    this.#states.become(this.#share?.shown(own) ?? own);
  }
}

/** How long a token lives yet, by the clock that says so, ms. */
function leftOf(
  { data: { expires_at: expiresAt = Infinity }, timestamp }: Extract<
    ServerFrame,
    { type: "welcome" | "authenticated" }
  >,
): number {
  return expiresAt - timestamp;
}

/** A frame, or a batch of them; undefined where it is no JSON. */
function parsed(
  text: string,
):
  | ServerFrame
  | { readonly type: "batch"; readonly data: { readonly frames: readonly ServerFrame[] } }
  | undefined {
  try {
    return JSON.parse(text); // the gateway is ours, and of the version that serves this client
  } catch {
    return undefined;
  }
}
