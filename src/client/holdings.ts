import { type Cursor, parted, type TopicLimits, type TopicRequest, urlBytesOf } from "./topic_request.ts";
import type { Topic } from "./topic.ts";
import type { Replay } from "./watch.ts";

/** What the gateway has of a topic: it was asked to hold it, holds it, or was asked to let it go. All of it for `topic`. */
type Place = {
  readonly kind: "asked" | "held" | "leaving";
  readonly request: TopicRequest;
  readonly topic: Topic;
};

type How =
  | { readonly type: "unsubscribe" }
  | { readonly type: "subscribe"; readonly since: Cursor }
  | { readonly type: "subscribe"; readonly replay: Replay };

const PENDING = { latest: "snapshot", none: undefined, all: "history" } as const;

/** What the gateway holds for this connection, of the topics that are watched here. */
export class Holdings {
  readonly #topics: ReadonlyMap<string, Topic>;
  readonly #places = new Map<string, Place>();
  #waiting: ReadonlySet<string> = new Set();

  constructor(topics: ReadonlyMap<string, Topic>) {
    this.#topics = topics;
  }

  /** How many topics the gateway holds, or was asked to. */
  get size(): number {
    return this.#places.size;
  }

  /** The name of a topic that the gateway holds for us, if there is one. */
  get anyHeld(): string | undefined {
    for (const [name, { kind }] of this.#places) if (kind === "held") return name;
    return undefined;
  }

  /** Topics for which there is no room. */
  get waiting(): ReadonlySet<string> {
    return this.#waiting;
  }

  /** The topic that the gateway holds under this name. */
  held(name: string): Topic | undefined {
    const place = this.#places.get(name);
    return place?.kind === "asked" ? undefined : place?.topic;
  }

  /** Whether the gateway holds this one, or was asked to. */
  has(name: string, topic: Topic | undefined): boolean {
    return topic !== undefined && this.#places.get(name)?.topic === topic;
  }

  /** The connection is gone, and with it all that was held: up to `cursor` it was brought. */
  down(cursor: Cursor | undefined): void {
    for (const { kind, topic } of this.#places.values()) {
      if (kind === "held") topic.since = cursor;
      topic.pending = undefined;
    }
    this.#places.clear();
  }

  /**
   * What is to be asked of the gateway, so that it holds what is watched here, or as much of it as fits, who came first
   * first: few requests for all that changed. It may answer them in any order, so no topic is in two of them: what is to
   * begin anew is given back first, and asked for when this is called again. Nor is what is given back room before.
   */
  sync(limits: TopicLimits): TopicRequest[] {
    const requests: TopicRequest[] = [];
    const ask = (kind: "asked" | "leaving", topics: ReadonlyMap<string, Topic>, how: How): void => {
      for (const part of parted([...topics.keys()], limits)) {
        const request: TopicRequest = { ...how, topics: part };
        requests.push(request);
        for (const name of part) {
          const topic = topics.get(name);
          if (topic !== undefined) this.#places.set(name, { kind, request, topic });
        }
      }
    };
    const [gone, resumed] = [new Map<string, Topic>(), new Map<string, Topic>()];
    const fresh = { latest: new Map<string, Topic>(), none: new Map(), all: new Map() };
    for (const [name, { kind, topic }] of this.#places) {
      if (kind === "held" && topic !== this.#topics.get(name)) gone.set(name, topic);
    }
    let since: Cursor | undefined;
    for (const [name, topic] of this.#thatFit(limits)) {
      if (!topic.served || topic.since === undefined) {
        topic.pending = PENDING[topic.replay];
        fresh[topic.replay].set(name, topic);
        // Cursors of one life of the stream at a time; the others are asked about when this is called again.
      } else if (since === undefined || since.epoch === topic.since.epoch) {
        topic.pending = "resume";
        resumed.set(name, topic);
        if (since === undefined || topic.since.seq < since.seq) since = topic.since;
      }
    }
    ask("leaving", gone, { type: "unsubscribe" });
    if (since !== undefined) ask("asked", resumed, { type: "subscribe", since });
    for (const replay of ["latest", "none", "all"] as const) {
      ask("asked", fresh[replay], { type: "subscribe", replay });
    }
    return requests;
  }

  /** What is watched and not held, as far as there is room. */
  #thatFit(limits: TopicLimits): ReadonlyMap<string, Topic> {
    const weigh = limits.max_url_bytes === Infinity ? () => 0 : urlBytesOf;
    const fit = new Map<string, Topic>();
    const waiting = new Set<string>();
    let bytes = 0;
    for (const name of this.#places.keys()) bytes += weigh(name);
    for (const [name, topic] of this.#topics) {
      if (this.#places.has(name)) continue;
      bytes += weigh(name);
      const fits = waiting.size === 0 && this.#places.size + fit.size < limits.max_topics &&
        bytes <= limits.max_url_bytes;
      if (fits) fit.set(name, topic);
      else waiting.add(name);
    }
    this.#waiting = waiting;
    return fit;
  }

  /** The gateway took a request; what it was about. */
  taken(request: TopicRequest): readonly Topic[] {
    return this.#settle(request, request.type === "subscribe" ? "held" : undefined);
  }

  /** The gateway refused a request: it holds what it held before. */
  refused(request: TopicRequest): void {
    const topics = this.#settle(request, request.type === "subscribe" ? undefined : "held");
    if (request.type === "subscribe") { for (const topic of topics) topic.pending = undefined; }
  }

  #settle(request: TopicRequest, kind: "held" | undefined): readonly Topic[] {
    return request.topics.flatMap((name) => {
      const place = this.#places.get(name);
      if (place?.request !== request) return [];
      if (kind === undefined) this.#places.delete(name);
      else this.#places.set(name, { ...place, kind });
      return [place.topic];
    });
  }
}
