import type { ClientError } from "./client_error.ts";
import type { Subscription } from "./source.ts";
import { type HowEnded, objectOf } from "./tab_message.ts";
import type { Asking, SharedClient } from "./tab_sharing.ts";
import type { Cursor } from "./topic_request.ts";
import type { Replay } from "./watch.ts";

/** How what is said to links travels. */
export type TabWire = {
  /** Frames to `links`, separated by spaces. */
  readonly hear: (links: string, text: string) => void;
  readonly end: (link: string, how: HowEnded) => void;
  /** Calls `gone` once a link is over, however it ended; returns how to stop that. */
  readonly watch: (link: string, gone: () => void) => () => void;
  /** Something is live, or is so no more. */
  readonly turned: () => void;
  /** More waits for one of the links than may. */
  readonly stuck: () => void;
};

/** A client of another tab. */
type Link = {
  readonly id: string;
  readonly held: Map<string, Subscription>;
  /** What has the connection as fast as this link wants it; nothing before it asked for anything. */
  pace: Subscription | undefined;
  /** Whether something of it was live; whether that is so no more; whether it may have missed something. */
  wasLive: boolean;
  isStale: boolean;
  isLost: boolean;
  /** Characters that it did not acknowledge. */
  unheard: number;
  callOff: () => void;
};

/** What a client asks of a gateway; of topics it says which, and how they begin. */
type Asked = {
  readonly type: string;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly topics: readonly string[];
  readonly start: Start;
};

type Start = { readonly since?: Cursor; readonly replay?: Replay; readonly maxRateHz?: number };

/** What may wait for a tab that takes nothing, characters: more than any present state of everything. */
const MAX_UNHEARD = 64 * 1024 * 1024;
/** Who missed more than so many positions of the stream is told over a connection of its own: gateways remember as many. */
const MAX_BEHIND = 50_000;
/** Nothing is lost between tabs; what is asked is only whether the leader still lives, ms. */
const HEARTBEAT = { interval_ms: 10_000, timeout_ms: 10_000 };

/**
 * Serves other tabs from the client of this one, as a gateway would: they are clients like any other, which know each event
 * by its position, keep a cursor and come back with it. So nothing need be known of a tab but what it says itself.
 */
export class TabGateway {
  readonly #client: SharedClient;
  readonly #wire: TabWire;
  readonly #links = new Map<string, Link>();
  /** What is to be sent, in order, and to whom. */
  #out: { readonly to: Set<Link>; readonly frame: object }[] = [];
  #isFlushing = false;
  /** Whether the connection is made anew only because a tab was brought less far than it: nobody loses by that. */
  #isResuming = false;

  constructor(client: SharedClient, wire: TabWire) {
    this.#client = client;
    this.#wire = wire;
  }

  /** Somebody wants to be served. */
  open(id: string): void {
    const callOff = this.#wire.watch(id, () => this.#forget(link));
    const state = { pace: undefined, wasLive: false, isStale: false, isLost: false, unheard: 0 };
    const link: Link = { id, held: new Map(), ...state, callOff };
    this.#links.set(id, link);
    // It says of no token that it expires: that of a link is not asked for.
    this.#tell(link, { type: "welcome", id: "welcome", timestamp: 0, data: { heartbeat: HEARTBEAT } });
  }

  /** A frame came from a link. */
  said(id: string, text: string): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    link.unheard = 0;
    const asked = askedOf(text);
    if (asked !== undefined) this.#asked(link, asked);
  }

  /** There is no connection, and will be none for a while: who is live must know. */
  down(): void {
    for (const link of this.#links.values()) if (link.wasLive) this.#end(link, "again");
  }

  /** It serves nobody any more. */
  close(): void {
    for (const link of this.#links.values()) this.#end(link, "again");
    this.#out = [];
  }

  #end(link: Link, how: HowEnded): void {
    this.#forget(link);
    this.#wire.end(link.id, how);
  }

  #forget(link: Link): void {
    link.callOff();
    this.#links.delete(link.id);
    for (const topic of link.held.keys()) this.#give(link, topic);
    link.pace?.unsubscribe();
  }

  #give({ held }: Link, topic: string): void {
    held.get(topic)?.unsubscribe();
    held.delete(topic);
  }

  #asked(link: Link, { type, id, data, topics, start }: Asked): void {
    switch (type) {
      case "ping":
        return this.#tell(link, { type: "pong", id, data: { seq: this.#client.cursor?.seq } });
      case "subscribe":
        return this.#subscribe(link, id, topics, start);
      case "unsubscribe":
        for (const topic of topics) this.#give(link, topic);
        return this.#tell(link, { type: "unsubscribed", id, data: {} });
      default:
        // To ask twice does no harm, to cancel neither: who is not answered asks the next leader.
        this.#client.ask(type, data).then(
          (answer) => this.#tell(link, { type: "answer", id, data: answer }),
          (error: ClientError) => error.code === "CLOSED" || this.#refuse(link, id, error),
        );
    }
  }

  #refuse(link: Link, id: string, { code, message, details }: ClientError): void {
    this.#tell(link, { type: "error", id, error: { code, message, details } });
  }

  #subscribe(link: Link, id: string, named: readonly string[], start: Start): void {
    const { since, replay = "latest", maxRateHz } = start;
    const { cursor = since } = this.#client;
    // All tabs would wait for a long past. And what was missed in another life of the stream a gateway has to say.
    const isFar = since && (since.epoch !== cursor?.epoch || since.seq < cursor.seq - MAX_BEHIND);
    if (isFar || replay === "all") return this.#end(link, "alone");
    this.#pace(link, maxRateHz);
    // What it has already it names for the rate's sake alone.
    const topics = named.filter((topic) => !link.held.has(topic));
    let isTaken = false;
    const take = (): void => {
      const data = { ...(since ?? this.#client.cursor), recovered: since && true };
      if (!isTaken) this.#tell(link, { type: "subscribed", id, data });
      isTaken = true;
    };
    const refuse = (error: ClientError): void => {
      // Over a connection of its own there may be room. And what it was told is held cannot be refused any more.
      if (isTaken || error.code === "LIMIT_EXCEEDED") return this.#end(link, "alone");
      for (const topic of topics) this.#give(link, topic);
      this.#refuse(link, id, error);
    };
    const isNew = since === undefined;
    const askings = topics.map((topic) => this.#asking(link, { topic, replay, isNew }, take, refuse));
    if (!isNew || topics.length === 0) take();
    const held = isNew ? askings.map((asking) => this.#client.watch(asking)) : this.#resumed(askings, since);
    if (held === undefined) return this.#end(link, "later");
    topics.forEach((topic, i) => held[i] && link.held.set(topic, held[i]));
  }

  /** One rate is for all topics of a link, whatever it asked for before: as fast as they come, unless it says. */
  #pace(link: Link, maxRateHz: number | undefined): void {
    if (link.pace !== undefined && maxRateHz === undefined) return;
    const before = link.pace;
    const nobody = { onFrame() {}, onLive() {}, onTruncated() {}, onError() {} };
    link.pace = this.#client.watch({ topics: [], replay: "none", maxRateHz, ...nobody });
    before?.unsubscribe();
  }

  #resumed(askings: readonly Asking[], since: Cursor): readonly Subscription[] | undefined {
    this.#isResuming = true;
    const held = this.#client.resume(askings, since);
    this.#isResuming = false;
    return held;
  }

  /** Before anything is told of a topic it is taken, or else refused. */
  #asking(
    link: Link,
    { topic, replay, isNew }: { readonly topic: string; readonly replay: Replay; readonly isNew: boolean },
    take: () => void,
    refuse: (error: ClientError) => void,
  ): Asking {
    // What a topic begins with is news for nobody but who has just come to it, wherever it is known from.
    let isBeginning = isNew;
    return {
      topics: [topic],
      replay: isNew ? replay : "none",
      maxRateHz: 0,
      onFrame: (frame) => {
        take();
        // Each link has one of its own.
        if (frame.type !== "caught_up") this.#tell(link, isBeginning ? { ...frame, snapshot: true } : frame);
      },
      onLive: (isLive) => {
        if (isLive) {
          isBeginning = false;
          take();
          const data = { topics: [topic], seq: this.#client.cursor?.seq };
          this.#tell(link, { type: "caught_up", id: "caught_up", data });
        } else if (!this.#isResuming) link.isStale = link.wasLive;
        link.wasLive ||= isLive;
        this.#flushSoon();
      },
      onTruncated: () => {},
      onError: refuse,
      onAnew: () => {
        link.isLost = true;
        this.#flushSoon();
      },
    };
  }

  #tell(link: Link, frame: object): void {
    if (!this.#links.has(link.id)) return;
    const last = this.#out.at(-1);
    // All who are told of an event are told one after the other.
    if (last?.frame === frame) last.to.add(link);
    else this.#out.push({ frame, to: new Set([link]) });
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => this.#flush());
  }

  /** All that came of one message of the gateway goes as one to those who want the same of it. */
  #flush(): void {
    this.#isFlushing = false;
    const out = this.#out.map(({ to, frame }) => ({ to: [...to].map(({ id }) => id).join(" "), frame }));
    this.#out = [];
    for (let from = 0, until = 0; from < out.length; from = until) {
      const { to = "" } = out[from] ?? {};
      while (out[until]?.to === to) until++;
      const frames = out.slice(from, until).map(({ frame }) => frame);
      this.#send(to, JSON.stringify({ type: "batch", data: { frames } }));
    }
    const isDown = this.#client.state.kind !== "open";
    for (const link of this.#links.values()) {
      if (link.isLost || (isDown && link.isStale)) this.#end(link, "again");
      link.isStale = false;
    }
    this.#wire.turned();
  }

  #send(to: string, text: string): void {
    this.#wire.hear(to, text);
    for (const id of to.split(" ")) {
      const link = this.#links.get(id);
      if (link === undefined) continue;
      if (link.unheard > MAX_UNHEARD) queueMicrotask(this.#wire.stuck);
      link.unheard += text.length;
    }
  }
}

/** What our own client wrote, of this very version: the channel's name says so. Undefined where somebody else did. */
function askedOf(text: string): Asked | undefined {
  const { type, id, data } = objectOf(text);
  if (typeof type !== "string" || typeof id !== "string" || typeof data !== "object" || data === null) {
    return undefined;
  }
  const { topics, since, replay, max_rate_hz: maxRateHz } = data as Start & {
    readonly topics?: unknown;
    readonly max_rate_hz?: number;
  };
  const named = Array.isArray(topics) ? topics.map(String) : [];
  const start = { ...(since && { since }), ...(replay && { replay }), ...(maxRateHz && { maxRateHz }) };
  return { type, id, data: { ...data }, topics: named, start };
}
