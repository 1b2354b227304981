import type { ServerFrame } from "../protocol/server_frames.ts";
import { eventsOf, type StreamEvent } from "./event_stream.ts";
import { type Asked, type HttpRequest, problemOf, requestOf } from "./http_requests.ts";
import type { OpenSocket, Socket, SocketListener } from "./socket.ts";
import { isNewsFrame, positionOf } from "./task_frame.ts";
import type { Cursor } from "./topic_request.ts";

/** What of the machine is used; its own unless given. */
export type StreamOptions = { readonly fetch?: typeof fetch; readonly now?: () => number };

/** How a stream begins: after a cursor, or as a `subscribe` frame says. */
type Start = { readonly since?: Cursor | undefined; readonly replay?: string };

/** Topics that begin in one way, and the requests that asked for them; none where they only go on. */
type Group = { readonly topics: readonly string[]; readonly ids: readonly string[] };

/** A stream that is wanted. */
type Wanted = Group & Start & {
  /**
   * For topics that come alone: it is over once they have caught up, and of what happens it brings what lies up to here
   * only. What is after this comes with the others, in order.
   */
  readonly upTo?: number | undefined;
};

/** How it ends, as a gateway would tell of it: the code, and why. */
type End = readonly [code: number, why?: string];

const ABNORMAL: End = [1006];
const OVERLOADED: End = [1013];
const UNAUTHORIZED: End = [4401, "unauthorized"];
const EXPIRED: End = [4402];
const LIMITED: End = [4429];
/** As a gateway says unless it was told otherwise. */
const HEARTBEAT = { interval_ms: 30_000, timeout_ms: 60_000 };
/** Of the 16 KiB that a request with its headers may have; the rest is for those, the token and the cursor. */
const LIMITS = { max_url_bytes: 12_288 };
const NONE: Group = { topics: [], ids: [] };

/**
 * Opens what behaves as a WebSocket and is none: frames come as Server-Sent Events of one stream at a time, and what is
 * asked goes over HTTP. For networks that let no WebSocket through.
 */
export function eventStreams(options: StreamOptions = {}): OpenSocket {
  return (url, listener) => new StreamSocket(new URL(url), listener, options);
}

class StreamSocket implements Socket {
  readonly #base: string;
  readonly #params: URLSearchParams;
  readonly #listener: SocketListener;
  readonly #fetch: typeof fetch;
  readonly #now: () => number;
  readonly #closing = new AbortController();
  readonly #held = new Set<string>();
  /** What is held was brought up to here. */
  #cursor: Cursor | undefined;
  #token: unknown;
  #stream: AbortController | undefined;
  #heardMs = 0;
  #silenceMs = HEARTBEAT.timeout_ms;
  /** What was asked about topics, or the token, and is not begun. */
  #asked: Asked[] = [];
  #changing: Promise<void> | undefined;

  constructor(
    url: URL,
    listener: SocketListener,
    { fetch = globalThis.fetch, now = Date.now }: StreamOptions,
  ) {
    url.protocol = url.protocol.replace(/^ws/, "http");
    this.#base = url.origin + url.pathname.replace(/\/ws(\/.*)?$/, "").replace(/\/$/, "");
    this.#params = url.searchParams;
    this.#token = this.#params.get("token");
    this.#params.delete("token");
    this.#params.delete("batch");
    this.#listener = listener;
    this.#fetch = (...request) => fetch(...request); // browsers' own wants no other `this`
    this.#now = now;
    this.#attempt(this.#greet());
  }

  send(text: string): void {
    const asked: Asked = JSON.parse(text);
    const request = requestOf(asked);
    if (request !== undefined) this.#attempt(this.#ask(asked, request));
    else {
      this.#asked.push(asked);
      this.#changing ??= this.#attempt(this.#change());
    }
  }

  close(): void {
    this.#closing.abort();
    this.#stream?.abort();
  }

  get #isOver(): boolean {
    return this.#closing.signal.aborted;
  }

  #end(how: End): void {
    if (this.#isOver) return;
    this.close();
    this.#listener.ended(...how);
  }

  /** Whatever cannot be had of the network ends all of it: the client comes back, and asks again. */
  #attempt(what: Promise<void>): Promise<void> {
    return what.catch(() => this.#end(ABNORMAL));
  }

  #hear(type: string, id: string, content: object): void {
    this.#pass(JSON.stringify({ type, id, timestamp: this.#now(), ...content }));
  }

  #pass(text: string): void {
    if (!this.#isOver) this.#listener.message(text);
  }

  #get(path: string, init: RequestInit = {}, headers: Record<string, string> = {}): Promise<Response> {
    if (this.#token) headers["authorization"] = `Bearer ${this.#token}`;
    return this.#fetch(this.#base + path, { signal: this.#closing.signal, ...init, headers });
  }

  /** There is nothing to stream yet. What counts is a gateway that knows its tasks, be its log in reach or not. */
  async #greet(): Promise<void> {
    const { ok, status, body } = await this.#get("/api/tasks?limit=1");
    await body?.cancel();
    // Who may not see all tasks may see some.
    if (!ok && status !== 403) return this.#end(status === 401 ? UNAUTHORIZED : OVERLOADED);
    this.#hear("welcome", "welcome", { data: { heartbeat: HEARTBEAT, limits: LIMITS } });
  }

  async #ask({ type, id }: Asked, [path, answer, body]: HttpRequest): Promise<void> {
    if (type === "ping") {
      // Those who asked before are answered before.
      await this.#changing;
      // That the gateway answers says nothing of a stream which has fallen silent.
      if (this.#stream && this.#now() - this.#heardMs > this.#silenceMs) return this.#end(ABNORMAL);
    }
    const post = { method: "POST", body: body ?? null };
    const response = body === undefined
      ? await this.#get(path)
      : await this.#get(path, post, { "content-type": "application/json" });
    if (!response.ok) return this.#refused([id], response);
    const data: unknown = await response.json();
    this.#hear(answer, id, { data: type === "ping" ? { server_time: this.#now() } : data });
  }

  /** What is asked in one turn, or while a stream begins, is one change. */
  async #change(): Promise<void> {
    await Promise.resolve();
    while (this.#asked.length > 0 && !this.#isOver) await this.#become(this.#asked.splice(0));
    this.#changing = undefined;
  }

  /**
   * A stream begins in one way for all of its topics. So those that are added and begin otherwise than where the others
   * are come alone first, until they have caught up; then one stream goes on with all from where the others were. What
   * it brings of the added ones again is known by its position.
   */
  async #become(asked: readonly Asked[]): Promise<void> {
    const fresh = new Map<string, Group>();
    let resumed = NONE;
    let since = this.#held.size > 0 ? this.#cursor : undefined;
    for (const { type, id, data } of asked) {
      // They are the client's own.
      const { topics = [], since: from, replay = "latest", token, max_rate_hz: rate } = data as
        & Partial<Group>
        & Start
        & { token?: string; max_rate_hz?: number };
      if (rate) this.#params.set("max_rate_hz", String(rate));
      if (type !== "subscribe") {
        for (const topic of topics) this.#held.delete(topic);
        this.#token = token ?? this.#token;
        // A new stream says when its token expires; where there is none, nothing does.
        if (type === "unsubscribe") this.#hear("unsubscribed", id, { data });
        else if (this.#held.size === 0) this.#hear("authenticated", id, { data: {} });
      } else if (from !== undefined) {
        since = olderOf(from, since);
        resumed = joined(topics, id, resumed);
      } else fresh.set(replay, joined(topics, id, fresh.get(replay)));
    }
    let isWhole = false;
    for (const [replay, group] of fresh) {
      const isTaken = await this.#follow({ ...group, replay, upTo: since?.seq });
      isWhole = isTaken && since === undefined;
      if (isWhole) since = this.#cursor;
    }
    if (!isWhole) await this.#resume(resumed, since);
  }

  /** One stream for all that is held, and these. */
  async #resume({ topics, ids }: Group, since: Cursor | undefined): Promise<void> {
    this.#stream?.abort();
    this.#stream = undefined;
    const all = [...new Set([...this.#held, ...topics])];
    if (all.length === 0 || await this.#follow({ topics: all, ids, since }) || this.#held.size === 0) return;
    await this.#follow({ topics: [...this.#held], ids: [], since });
  }

  /** Streams this and nothing else; resolves once it may be left for another, false where it was refused. Then it goes on. */
  #follow(wanted: Wanted): Promise<boolean> {
    this.#stream?.abort();
    const stream = new AbortController();
    this.#stream = stream;
    return new Promise((settle) => {
      this.#pump(wanted, stream, settle)
        .catch(() => stream.signal.aborted ? undefined : this.#end(ABNORMAL))
        .finally(() => settle(false));
    });
  }

  async #pump(wanted: Wanted, stream: AbortController, settle: (isTaken: boolean) => void): Promise<void> {
    const { topics, ids, since, replay = "", upTo } = wanted;
    const params = new URLSearchParams(this.#params);
    params.set("topics", topics.join(","));
    if (since === undefined) params.set("replay", replay);
    else params.set("since", `${since.epoch}:${since.seq}`);
    if (this.#isOver) return;
    this.#heardMs = this.#now();
    const response = await this.#get(`/api/stream?${params}`, { signal: stream.signal });
    if (!response.ok || response.body === null) return this.#refused(ids, response, true);
    for await (const event of eventsOf(response.body)) {
      if (stream.signal.aborted) return;
      this.#heardMs = this.#now();
      if (event.event === "close") {
        const { code, reason } = JSON.parse(event.data);
        return this.#end([code, reason]);
      }
      if (event.id !== undefined && upTo === undefined) this.#cursor = cursorOf(event.id);
      if (!this.#told(event, wanted)) continue;
      for (const topic of topics) this.#held.add(topic);
      settle(true);
      if (upTo !== undefined) return stream.abort();
    }
    this.#end(ABNORMAL);
  }

  /** Passes an event on; returns whether the stream may be left for another, which goes on from the cursor. */
  #told({ event, data }: StreamEvent, { ids, since, replay, upTo }: Wanted): boolean {
    switch (event) {
      case "":
        return false;
      case "welcome": {
        const welcome = JSON.parse(data);
        this.#silenceMs = welcome.data.heartbeat.timeout_ms;
        Object.assign(welcome.data.limits, LIMITS);
        this.#pass(JSON.stringify(welcome));
        return false;
      }
      case "subscribed": {
        const { data: subscribed } = JSON.parse(data);
        for (const id of ids) this.#hear(event, id, { data: subscribed });
        if (since === undefined && upTo === undefined) this.#cursor = subscribed;
        return since !== undefined || replay === "none";
      }
      case "caught_up":
        // Of a part alone it would say that all are as far; the stream that follows has one for all.
        if (upTo === undefined) this.#pass(data);
        return true;
      default:
        if (upTo === undefined || isWithin(JSON.parse(data), upTo)) this.#pass(data);
        return false;
    }
  }

  async #refused(ids: readonly string[], response: Response, isStream = false): Promise<void> {
    const { status } = response;
    if (status === 401) return this.#end(EXPIRED);
    if (isStream && status === 429) return this.#end(LIMITED);
    if (isStream && (status >= 500 || ids.length === 0)) return this.#end(OVERLOADED);
    const error = await problemOf(response);
    for (const id of ids) this.#hear("error", id, { error });
  }
}

function joined(more: readonly string[], id: string, { topics, ids } = NONE): Group {
  return { topics: [...topics, ...more], ids: [...ids, id] };
}

/** The older of two cursors; the first where they are of different streams, which makes a gap of either. */
function olderOf(one: Cursor, other: Cursor | undefined): Cursor {
  return one.epoch === other?.epoch && other.seq < one.seq ? other : one;
}

function cursorOf(id: string): Cursor {
  const colon = id.lastIndexOf(":");
  return { epoch: id.slice(0, colon), seq: Number(id.slice(colon + 1)) };
}

/** Whether a frame is of a snapshot, or tells of nothing after this position. */
function isWithin(frame: ServerFrame, upTo: number): boolean {
  return !isNewsFrame(frame) || frame.snapshot === true || positionOf(frame) <= upTo;
}
