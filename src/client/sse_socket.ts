import type { ServerFrame } from "../protocol/server_frames.ts";
import { eventsOf, type StreamEvent } from "./event_stream.ts";
import { type Asked, problemOf, requestOf } from "./http_requests.ts";
import type { OpenSocket, Socket, SocketListener } from "./socket.ts";
import { positionOf } from "./task_frame.ts";

/** What of the machine is used; its own unless given. */
export type StreamOptions = { readonly fetch?: typeof fetch; readonly now?: () => number };

/** How a stream begins: after a cursor `<epoch>:<seq>`, or as a `subscribe` frame says. */
type Start = { readonly since: string } | { readonly replay: string };

/** A stream that is wanted. */
type Wanted = {
  readonly topics: readonly string[];
  readonly start: Start;
  /** The request that it answers; none where it only goes on. */
  readonly id?: string;
  /**
   * For topics that come alone: it is over once they have caught up, and of what happens it brings what lies up to here
   * only. What is after this comes with the others, in order.
   */
  readonly upTo?: number;
};

const ABNORMAL = 1006;
const OVERLOADED = 1013;
const LIMITED = 4429;
/** As a gateway says unless it was told otherwise. */
const HEARTBEAT = { interval_ms: 30_000, timeout_ms: 60_000 };

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
  /** `<epoch>:<seq>`: what is held was brought up to here. */
  #cursor = "";
  #stream: AbortController | undefined;
  #heardMs = 0;
  #silenceMs = HEARTBEAT.timeout_ms;
  /** Changes of the topics, one after the other, each once the one before has caught up. */
  #changes: Promise<void> = Promise.resolve();

  constructor(
    url: URL,
    listener: SocketListener,
    { fetch = globalThis.fetch, now = Date.now }: StreamOptions,
  ) {
    url.protocol = url.protocol.replace(/^ws/, "http");
    this.#base = url.origin + url.pathname.replace(/\/ws(\/.*)?$/, "").replace(/\/$/, "");
    this.#params = url.searchParams;
    this.#params.delete("batch");
    this.#listener = listener;
    this.#fetch = (...request) => fetch(...request); // browsers' own wants no other `this`
    this.#now = now;
    this.#attempt(this.#greet());
  }

  send(text: string): void {
    const asked: Asked = JSON.parse(text);
    if (asked.type === "subscribe") this.#change(() => this.#subscribe(asked));
    else if (asked.type === "unsubscribe") this.#change(() => this.#unsubscribe(asked));
    else this.#attempt(this.#ask(asked));
  }

  close(): void {
    this.#closing.abort();
    this.#stream?.abort();
  }

  get #isOver(): boolean {
    return this.#closing.signal.aborted;
  }

  #end(code: number): void {
    if (this.#isOver) return;
    this.close();
    this.#listener.ended(code);
  }

  /** Whatever cannot be had of the network ends all of it: the client comes back, and asks again. */
  #attempt(what: Promise<void>): Promise<void> {
    return what.catch(() => this.#end(ABNORMAL));
  }

  #change(run: () => Promise<void>): void {
    this.#changes = this.#changes.then(() => this.#isOver ? undefined : this.#attempt(run()));
  }

  #hear(type: string, id: string, content: object): void {
    if (this.#isOver) return;
    this.#listener.message(JSON.stringify({ type, id, timestamp: this.#now(), ...content }));
  }

  #pass(text: string): void {
    if (!this.#isOver) this.#listener.message(text);
  }

  /** There is nothing to stream yet. What counts is a gateway that knows its tasks, be its log in reach or not. */
  async #greet(): Promise<void> {
    const response = await this.#fetch(`${this.#base}/api/tasks?limit=1`, { signal: this.#closing.signal });
    await response.body?.cancel();
    if (response.ok) this.#hear("welcome", "welcome", { data: { heartbeat: HEARTBEAT } });
    else this.#end(OVERLOADED);
  }

  async #ask(asked: Asked): Promise<void> {
    const request = requestOf(asked);
    const { id } = asked;
    if (request === undefined) {
      const error = { code: "INVALID_MESSAGE", message: `${asked.type}: not over HTTP`, details: {} };
      return this.#hear("error", id, { error });
    }
    // That the gateway answers says nothing of a stream which has fallen silent.
    if (
      asked.type === "ping" && this.#stream !== undefined && this.#now() - this.#heardMs > this.#silenceMs
    ) {
      return this.#end(ABNORMAL);
    }
    const { method, path, body, answer } = request;
    const response = await this.#fetch(`${this.#base}${path}`, {
      method,
      signal: this.#closing.signal,
      ...(body === undefined ? {} : { body, headers: { "content-type": "application/json" } }),
    });
    if (!response.ok) return this.#hear("error", id, { error: await problemOf(response) });
    const data: unknown = await response.json();
    this.#hear(answer, id, { data: asked.type === "ping" ? { server_time: this.#now() } : data });
  }

  /**
   * A stream begins in one way for all of its topics. So those that are added and begin otherwise than where the others
   * are come alone first, until they have caught up; then one stream goes on with all from where the others were. What
   * it brings of the added ones again is known by its position.
   */
  async #subscribe({ id, data }: Asked): Promise<void> {
    const topics = stringsOf(data["topics"]);
    const start = startOf(data);
    const others = [...this.#held];
    const isAlone = others.length === 0 || "since" in start;
    if (isAlone) {
      // Who resumes some topics and holds others has one cursor for all of them: the older will do.
      const since = "since" in start && others.length > 0
        ? { since: olderOf(start.since, this.#cursor) }
        : start;
      if (await this.#follow({ topics: [...new Set([...others, ...topics])], start: since, id })) {
        for (const topic of topics) this.#held.add(topic);
      } else if (others.length > 0) {
        await this.#follow({ topics: others, start: { since: this.#cursor } });
      }
      return;
    }
    const before = this.#cursor;
    const alone = await this.#follow({ topics, start, id, upTo: parsed(before).seq });
    if (alone) { for (const topic of topics) this.#held.add(topic); }
    if (this.#isOver) return;
    this.#cursor = before;
    await this.#follow({ topics: [...this.#held], start: { since: before } });
  }

  async #unsubscribe({ id, data }: Asked): Promise<void> {
    for (const topic of stringsOf(data["topics"])) this.#held.delete(topic);
    this.#hear("unsubscribed", id, { data: { topics: [...this.#held].sort(), ...parsed(this.#cursor) } });
    this.#stream?.abort();
    this.#stream = undefined;
    if (this.#held.size > 0) await this.#follow({ topics: [...this.#held], start: { since: this.#cursor } });
  }

  /** Streams this and nothing else; resolves once it has caught up, false where it was refused. Then it goes on. */
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
    const params = new URLSearchParams(this.#params);
    params.set("topics", wanted.topics.join(","));
    for (const [name, value] of Object.entries(wanted.start)) params.set(name, value);
    this.#heardMs = this.#now();
    const response = await this.#fetch(`${this.#base}/api/stream?${params}`, { signal: stream.signal });
    if (!response.ok || response.body === null) return this.#refused(wanted, response);
    for await (const event of eventsOf(response.body)) {
      if (stream.signal.aborted) return;
      this.#heardMs = this.#now();
      if (event.event === "close") return this.#end(JSON.parse(event.data).code);
      if (event.id !== undefined) this.#cursor = event.id;
      if (!this.#told(event, wanted)) continue;
      settle(true);
      if (wanted.upTo !== undefined) return stream.abort();
    }
    this.#end(ABNORMAL);
  }

  /** Passes an event on; returns whether what follows is live. */
  #told({ event, data }: StreamEvent, { topics, start, id, upTo }: Wanted): boolean {
    switch (event) {
      case "":
        return false;
      case "welcome":
        this.#silenceMs = JSON.parse(data).data.heartbeat.timeout_ms;
        return false;
      case "subscribed": {
        const { data: { topics: _, ...rest } } = JSON.parse(data);
        const all = [...new Set([...this.#held, ...topics])].sort();
        if (id !== undefined) this.#hear(event, id, { data: { topics: all, ...rest } });
        return "replay" in start && start.replay === "none";
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

  async #refused({ id }: Wanted, response: Response): Promise<void> {
    const { status } = response;
    if (status === 429) return this.#end(LIMITED);
    if (status >= 500 || id === undefined) return this.#end(OVERLOADED);
    this.#hear("error", id, { error: await problemOf(response) });
  }
}

function startOf({ since, replay }: Asked["data"]): Start {
  if (typeof since !== "object" || since === null) return { replay: String(replay ?? "latest") };
  const { epoch, seq } = since as { readonly epoch?: unknown; readonly seq?: unknown };
  return { since: `${epoch}:${seq}` };
}

/** The older of two cursors; the first where they are of different streams, which makes a gap of either. */
function olderOf(one: string, other: string): string {
  const [first, second] = [parsed(one), parsed(other)];
  return first.epoch === second.epoch && second.seq < first.seq ? other : one;
}

function parsed(cursor: string): { readonly epoch: string; readonly seq: number } {
  const colon = cursor.lastIndexOf(":");
  return { epoch: cursor.slice(0, Math.max(0, colon)), seq: Number(cursor.slice(colon + 1)) };
}

/** Whether a frame is of a snapshot, or tells of nothing after this position. */
function isWithin(frame: ServerFrame, upTo: number): boolean {
  if (frame.type !== "task_status" && frame.type !== "task_progress") return true;
  return frame.snapshot === true || positionOf(frame) <= upTo;
}

function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
