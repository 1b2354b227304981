import type { ServerData, ServerFrame, TaskStatusData } from "../protocol/server_frames.ts";
import type { ClientError } from "./client_error.ts";
import { LatestFrames } from "./latest_frames.ts";
import { saysEnded, type TaskFrame, topicsOf } from "./task_frame.ts";
import { Told } from "./told.ts";
import type { Cursor, TopicRequest } from "./topic_request.ts";
import type { PushedFrame, Replay, Watch } from "./watch.ts";

/** A topic as it is watched here. One that is to begin anew is another of the same name. */
type Topic = {
  readonly watches: Set<Watch>;
  replay: Replay;
  /** Whether everything up to the cursor was brought. */
  served: boolean;
  /** From where it goes on when it is asked for again: up to there it was brought when it was last held. */
  since: Cursor | undefined;
  /**
   * What is under way: what followed the cursor, in the order of the stream; or what no position stands for, the present
   * state or the whole past.
   */
  pending: "resume" | "snapshot" | "history" | undefined;
  readonly latest: LatestFrames;
};

/** What the gateway has of a topic: it was asked to hold it, holds it, or was asked to let it go. All of it for `topic`. */
type Place = {
  readonly kind: "asked" | "held" | "leaving";
  readonly request: TopicRequest;
  readonly topic: Topic;
};

const LIST = "task:list";
const PENDING = { latest: "snapshot", none: undefined, all: "history" } as const;

/**
 * Who here watches what, what the gateway holds for us, and how far it has brought us. The cursor is one for all topics
 * that are held: each that is served was brought everything up to it.
 */
export class Subscriptions {
  readonly #topics = new Map<string, Topic>();
  readonly #told = new Map<Watch, Told>();
  readonly #places = new Map<string, Place>();
  readonly #live = new Set<Watch>();
  readonly #tags = new Map<string, readonly string[]>();
  readonly #list = new Map<string, TaskStatusData>();
  #epoch: string | undefined;
  #seq = 0;

  /** Adds a watch. Of what is held already it is told at once what was told last. */
  add(watch: Watch): void {
    const { replay } = watch;
    this.#told.set(watch, new Told());
    for (const name of watch.topics) {
      const topic = this.#topics.get(name);
      const isUnknown = replay === "latest" && topic?.replay === "none";
      if (topic !== undefined && replay !== "all" && !isUnknown) {
        topic.watches.add(watch);
        if (replay === "latest") this.#retell(name, topic, watch);
        continue;
      }
      // Neither past nor present can be had of a topic that is held: it is given back first. Nobody is told twice.
      this.#topics.set(name, {
        watches: new Set([...topic?.watches ?? [], watch]),
        replay,
        served: false,
        since: undefined,
        pending: undefined,
        latest: topic?.latest ?? new LatestFrames(),
      });
    }
    this.#tellLive();
  }

  /** Takes a watch away, and the topics that nobody else watches. */
  remove(watch: Watch): void {
    if (!this.#told.delete(watch)) return;
    this.#live.delete(watch);
    for (const name of watch.topics) {
      const topic = this.#topics.get(name);
      if (topic?.watches.delete(watch) && topic.watches.size === 0) this.#topics.delete(name);
    }
    if (!this.#topics.has(LIST)) this.#list.clear();
    if (this.#topics.size === 0) this.#tags.clear();
  }

  /** The connection is gone, and with it what the gateway held for us. */
  down(): void {
    for (const { kind, topic } of this.#places.values()) {
      if (kind === "held" && this.#epoch !== undefined) topic.since = { epoch: this.#epoch, seq: this.#seq };
      topic.pending = undefined;
    }
    this.#places.clear();
    this.#tellLive();
  }

  /**
   * What is to be asked of the gateway, so that it holds what is watched here: few requests for all that changed. It may
   * answer them in any order, so no topic is in two of them: what is to begin anew is given back first, and asked for
   * when this is called again.
   */
  sync(): readonly TopicRequest[] {
    const requests: TopicRequest[] = [];
    const ask = (request: TopicRequest): void => {
      if (request.topics.length === 0) return;
      requests.push(request);
      const kind = request.type === "subscribe" ? "asked" : "leaving";
      for (const name of request.topics) {
        const topic = kind === "asked" ? this.#topics.get(name) : this.#places.get(name)?.topic;
        if (topic !== undefined) this.#places.set(name, { kind, request, topic });
      }
    };
    const gone = [...this.#places].filter(([name, { kind, topic }]) =>
      kind === "held" && topic !== this.#topics.get(name)
    );
    ask({ type: "unsubscribe", topics: gone.map(([name]) => name) });
    const resumed: string[] = [];
    const fresh: Record<Replay, string[]> = { latest: [], none: [], all: [] };
    let since: Cursor | undefined;
    for (const [name, topic] of this.#topics) {
      if (this.#places.has(name)) continue;
      const from = topic.served ? topic.since : undefined;
      // Cursors of one life of the stream at a time; the others are asked about when this is called again.
      if (from !== undefined && since !== undefined && from.epoch !== since.epoch) continue;
      topic.pending = from === undefined ? PENDING[topic.replay] : "resume";
      (from === undefined ? fresh[topic.replay] : resumed).push(name);
      if (from !== undefined && (since === undefined || from.seq < since.seq)) since = from;
    }
    if (since !== undefined) ask({ type: "subscribe", topics: resumed, since });
    for (const replay of ["latest", "none", "all"] as const) {
      ask({ type: "subscribe", topics: fresh[replay], replay });
    }
    return requests;
  }

  /** The gateway took a request. */
  taken(request: TopicRequest, { epoch, seq, recovered }: ServerData["subscribed"]): void {
    // Where a gap is about to be told of, that is what says where positions begin anew.
    if (request.type === "subscribe" && recovered !== false) this.#enter(epoch, seq);
    // From here on all that is held is brought in the order of the stream, beginning there.
    if (recovered === true && "since" in request) this.#seq = Math.min(this.#seq, request.since.seq);
    for (const name of request.topics) {
      const place = this.#places.get(name);
      if (place?.request !== request) continue;
      if (request.type === "unsubscribe") {
        this.#places.delete(name);
        continue;
      }
      this.#places.set(name, { ...place, kind: "held" });
      if ("replay" in request && request.replay === "none") place.topic.served = true;
    }
    this.#tellLive();
  }

  /** The gateway refused a request: it holds what it held before, and `offending` of those topics it never will. */
  refused(request: TopicRequest, offending: readonly string[], error: ClientError): void {
    for (const name of request.topics) {
      const place = this.#places.get(name);
      if (place?.request !== request) continue;
      if (request.type === "unsubscribe") {
        this.#places.set(name, { ...place, kind: "held" });
        continue;
      }
      this.#places.delete(name);
      place.topic.pending = undefined;
    }
    const lost = new Set(offending.flatMap((name) => [...this.#topics.get(name)?.watches ?? []]));
    for (const watch of lost) {
      this.remove(watch);
      watch.onError(error);
    }
    this.#tellLive();
  }

  /** Hands a pushed frame to those who watch for it, each event once. */
  pushed(frame: PushedFrame): void {
    switch (frame.type) {
      case "task_progress":
      case "task_status":
        this.#task(frame);
        break;
      case "task_list":
        this.#listed(frame);
        break;
      case "gap":
        return this.#gap(frame);
      case "caught_up":
        return this.#caughtUp(frame);
    }
    if (frame.seq !== undefined && frame.snapshot !== true) this.moved(frame.seq);
  }

  /** Everything up to `seq` was brought. Amid a replay no position stands for what was. */
  moved(seq: number): void {
    for (const { pending } of this.#topics.values()) {
      if (pending === "snapshot" || pending === "history") return;
    }
    this.#seq = Math.max(this.#seq, seq);
  }

  /** Positions are of this life of the stream from now on. */
  #enter(epoch: string, seq: number): void {
    if (this.#epoch === epoch) return;
    this.#epoch = epoch;
    this.#seq = seq;
    this.#list.clear();
    for (const told of this.#told.values()) told.clear();
    for (const { latest } of this.#topics.values()) latest.clear();
  }

  /** The topic that the gateway holds under this name. */
  #held(name: string): Topic | undefined {
    const place = this.#places.get(name);
    return place?.kind === "asked" ? undefined : place?.topic;
  }

  #task(frame: TaskFrame): void {
    const { task_id: id } = frame.data;
    if (frame.type === "task_status") this.#tags.set(id, frame.data.tags);
    const watches = new Set<Watch>();
    for (const name of topicsOf(frame, this.#tags.get(id), this.#tagTopics())) {
      const topic = this.#held(name);
      // A snapshot is for topics that were just asked for. To others it would come before what happened until then.
      if (topic === undefined || frame.snapshot === true && topic.pending !== "snapshot") continue;
      topic.latest.keep(frame);
      for (const watch of topic.watches) watches.add(watch);
    }
    for (const watch of watches) this.#tell(watch, frame);
    if (saysEnded(frame)) this.#tags.delete(id);
  }

  *#tagTopics(): Generator<string> {
    for (const name of this.#topics.keys()) if (name.startsWith("task:tag:")) yield name;
  }

  #tell(watch: Watch, frame: TaskFrame): void {
    // Somebody may have gone while others were told.
    if (this.#told.get(watch)?.isNews(frame)) watch.onFrame(frame);
  }

  #retell(name: string, { latest }: Topic, watch: Watch): void {
    for (const frame of latest.frames()) this.#tell(watch, frame);
    if (name !== LIST || this.#list.size === 0) return;
    const data = { tasks: [...this.#list.values()], removed: [] };
    watch.onFrame({ type: "task_list", id: `list_${this.#seq}`, timestamp: 0, data });
  }

  #listed(frame: Extract<ServerFrame, { type: "task_list" }>): void {
    for (const task of frame.data.tasks) this.#list.set(task.task_id, task);
    if ("removed" in frame.data) { for (const id of frame.data.removed) this.#list.delete(id); }
    for (const watch of this.#held(LIST)?.watches ?? []) watch.onFrame(frame);
  }

  #gap(frame: Extract<ServerFrame, { type: "gap" }>): void {
    const { topics, epoch, missed_to: missedTo } = frame.data;
    this.#enter(epoch, missedTo);
    const watches = new Set<Watch>();
    for (const name of topics) {
      const topic = this.#held(name);
      if (topic === undefined) continue;
      topic.pending = "snapshot";
      topic.served = false;
      if (topic.replay === "none") topic.replay = "latest"; // what was missed may be what it wanted
      if (name === LIST) this.#list.clear();
      for (const watch of topic.watches) watches.add(watch);
    }
    this.#tellLive();
    for (const watch of watches) watch.onFrame(frame);
  }

  #caughtUp(frame: Extract<ServerFrame, { type: "caught_up" }>): void {
    const watches = new Set<Watch>();
    for (const name of frame.data.topics) {
      const topic = this.#held(name);
      if (topic === undefined) continue;
      topic.pending = undefined;
      topic.served = true;
      for (const watch of topic.watches) watches.add(watch);
    }
    // Others may not have been brought as far.
    if ([...this.#topics.values()].every(({ pending }) => pending === undefined)) this.moved(frame.data.seq);
    for (const watch of watches) watch.onFrame(frame);
    this.#tellLive();
  }

  /** Whether everything that this watch wants is live. */
  #isLive({ topics }: Watch): boolean {
    return topics.every((name) => {
      const topic = this.#topics.get(name);
      return topic?.served && topic.pending === undefined && this.#places.get(name)?.topic === topic;
    });
  }

  #tellLive(): void {
    for (const watch of [...this.#told.keys()]) {
      const isLive = this.#isLive(watch);
      if (isLive === this.#live.has(watch)) continue;
      if (isLive) this.#live.add(watch);
      else this.#live.delete(watch);
      watch.onLive(isLive);
    }
  }
}
