import type { ServerData, ServerFrame, TaskStatusData } from "../protocol/server_frames.ts";
import type { ClientError } from "./client_error.ts";
import { LatestFrames } from "./latest_frames.ts";
import { positionOf, saysEnded, type TaskFrame, topicsOf } from "./task_frame.ts";

/** What a subscription starts with: the present state, nothing, or all that is retained of the past. */
export type Replay = "latest" | "none" | "all";

/** A position, and the life of the stream it is a position in. */
export type Cursor = { readonly epoch: string; readonly seq: number };

/** What is pushed to those who subscribed. */
export type PushedFrame = Extract<
  ServerFrame,
  { type: "task_progress" | "task_status" | "task_list" | "gap" | "caught_up" }
>;

/** What somebody here wants to see. */
export type Watch = {
  readonly topics: readonly string[];
  readonly replay: Replay;
  readonly onFrame: (frame: PushedFrame) => void;
  /** Told each time what was missed is there and what follows is live, and when that is so no more. */
  readonly onLive: (isLive: boolean) => void;
  /** Told when one of its topics may not be held. It is watched no more then. */
  readonly onRefused: (error: ClientError) => void;
};

/** A request about topics. */
export type TopicRequest =
  | { readonly type: "subscribe"; readonly topics: readonly string[]; readonly since: Cursor }
  | { readonly type: "subscribe"; readonly topics: readonly string[]; readonly replay: Replay }
  | { readonly type: "unsubscribe"; readonly topics: readonly string[] };

type Topic = {
  readonly watches: Set<Watch>;
  replay: Replay;
  /** Whether everything up to the cursor was brought, so that a new connection goes on from there. */
  served: boolean;
  /**
   * What is under way: what followed the cursor, in the order of the stream; or what no position stands for, the present
   * state or the whole past.
   */
  pending: "resume" | "snapshot" | "history" | undefined;
  readonly latest: LatestFrames;
};

/** Up to which position a watch was told of each task. */
type Told = Map<string, { task_progress: number; task_status: number }>;

const LIST = "task:list";
const PENDING = { latest: "snapshot", none: undefined, all: "history" } as const;
/** Of so many tasks it is remembered up to where a watch was told of them: more than a gateway may ever tell of twice. */
const MAX_TOLD = 50_000;

/**
 * Who here watches what, what the gateway holds for us, and how far it has brought us. The cursor is one for all topics:
 * each that is served was brought everything up to it.
 */
export class Subscriptions {
  readonly #topics = new Map<string, Topic>();
  readonly #told = new Map<Watch, Told>();
  /** What the gateway holds for this connection, or was asked to. */
  readonly #asked = new Map<string, TopicRequest>();
  /** What of that it said it holds: frames before were for others. */
  readonly #held = new Set<string>();
  /** What of that is to be given back first, and asked for anew. */
  readonly #anew = new Set<string>();
  readonly #live = new Set<Watch>();
  readonly #tags = new Map<string, readonly string[]>();
  readonly #list = new Map<string, TaskStatusData>();
  #epoch: string | undefined;
  #seq = 0;

  /** Every topic that somebody here watches, sorted. */
  get topics(): readonly string[] {
    return [...this.#topics.keys()].sort();
  }

  /** From where on a new connection goes on; undefined before anything was served. */
  get cursor(): Cursor | undefined {
    return this.#epoch === undefined ? undefined : { epoch: this.#epoch, seq: this.#seq };
  }

  /** Whether everything that this watch wants is live. */
  isLive({ topics }: Pick<Watch, "topics">): boolean {
    return topics.every((name) => {
      const topic = this.#topics.get(name);
      return topic !== undefined && topic.served && topic.pending === undefined && this.#asked.has(name);
    });
  }

  /** Adds a watch. Of what is held already it is told at once what was told last. */
  add(watch: Watch): void {
    this.#told.set(watch, new Map());
    for (const name of watch.topics) {
      const topic = this.#topics.get(name);
      if (topic === undefined) {
        const { replay } = watch;
        const latest = new LatestFrames();
        if (this.#asked.has(name)) this.#anew.add(name); // it is to be given back, and was not yet
        this.#topics.set(name, {
          watches: new Set([watch]),
          replay,
          served: false,
          pending: undefined,
          latest,
        });
      } else {
        topic.watches.add(watch);
        const isUnknown = watch.replay === "latest" && topic.replay === "none";
        if (watch.replay === "all" || isUnknown) this.#askAnew(name, topic, watch.replay);
        else if (watch.replay === "latest") this.#retell(name, topic, watch);
      }
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
    this.#asked.clear();
    this.#held.clear();
    this.#anew.clear();
    for (const topic of this.#topics.values()) topic.pending = undefined;
    this.#tellLive();
  }

  /**
   * What is to be asked of the gateway, so that it holds what is watched here: few requests for all that changed. It may
   * answer them in any order, so no topic is in two of them: what is to be asked anew is given back first, and asked for
   * when this is called again.
   */
  sync(): readonly TopicRequest[] {
    const requests: TopicRequest[] = [];
    const gone = [...this.#asked.keys()].filter((name) => !this.#topics.has(name) || this.#anew.has(name))
      .sort();
    for (const name of gone) {
      this.#asked.delete(name);
      this.#held.delete(name);
    }
    this.#anew.clear();
    if (gone.length > 0) requests.push({ type: "unsubscribe", topics: gone });
    const { cursor } = this;
    const served: string[] = [];
    const fresh: Record<Replay, string[]> = { latest: [], none: [], all: [] };
    for (const name of this.topics) {
      const topic = this.#topics.get(name);
      if (topic === undefined || this.#asked.has(name) || gone.includes(name)) continue;
      const resumes = topic.served && cursor !== undefined;
      topic.pending = resumes ? "resume" : PENDING[topic.replay];
      (resumes ? served : fresh[topic.replay]).push(name);
    }
    if (served.length > 0 && cursor !== undefined) {
      requests.push({ type: "subscribe", topics: served, since: cursor });
    }
    for (const replay of ["latest", "none", "all"] as const) {
      if (fresh[replay].length > 0) requests.push({ type: "subscribe", topics: fresh[replay], replay });
    }
    for (const request of requests) {
      if (request.type === "subscribe") { for (const name of request.topics) this.#asked.set(name, request); }
    }
    return requests;
  }

  /** The gateway took a request. */
  subscribed(request: TopicRequest, { epoch, seq }: ServerData["subscribed"]): void {
    if (request.type === "unsubscribe") return;
    if (this.#epoch === undefined) {
      this.#epoch = epoch;
      this.#seq = seq;
    }
    for (const name of request.topics) {
      if (this.#asked.get(name) !== request) continue; // given back meanwhile
      this.#held.add(name);
      const topic = this.#topics.get(name);
      const isDone = "replay" in request && request.replay === "none" && !this.#anew.has(name);
      if (topic !== undefined && isDone) topic.served = true;
    }
    this.#tellLive();
  }

  /** The gateway refused a request: those topics are not held, and `offending` of them never will be. */
  refused(request: TopicRequest, offending: readonly string[], error: ClientError): void {
    for (const name of request.topics) {
      if (this.#asked.get(name) !== request) continue;
      this.#asked.delete(name);
      const topic = this.#topics.get(name);
      if (topic !== undefined) topic.pending = undefined;
    }
    const lost = new Set(offending.flatMap((name) => [...this.#topics.get(name)?.watches ?? []]));
    for (const watch of lost) {
      this.remove(watch);
      watch.onRefused(error);
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

  #task(frame: TaskFrame): void {
    const { task_id: id } = frame.data;
    if (frame.type === "task_status") this.#tags.set(id, frame.data.tags);
    const watches = new Set<Watch>();
    for (const name of topicsOf(frame, this.#tags.get(id), this.#tagTopics())) {
      const topic = this.#topics.get(name);
      // A snapshot is for topics that were just asked for. To others it would come before what happened until then.
      if (topic === undefined || !this.#held.has(name)) continue;
      if (frame.snapshot === true && topic.pending !== "snapshot") continue;
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
    const told = this.#told.get(watch);
    if (told === undefined) return; // it went while others were told
    const { task_id: id } = frame.data;
    const last = told.get(id) ?? { task_progress: 0, task_status: 0 };
    const position = positionOf(frame);
    if (position <= last[frame.type]) return;
    last[frame.type] = position;
    told.set(id, last);
    if (told.size > MAX_TOLD) {
      for (const first of told.keys()) {
        told.delete(first);
        break;
      }
    }
    watch.onFrame(frame);
  }

  #retell(name: string, { latest }: Topic, watch: Watch): void {
    for (const frame of latest.frames()) this.#tell(watch, frame);
    if (name !== LIST || this.#list.size === 0) return;
    const data = { tasks: [...this.#list.values()], removed: [] };
    watch.onFrame({ type: "task_list", id: `list_${this.#seq}`, timestamp: 0, data });
  }

  /** Neither past nor present can be had of a topic that is held: it is given back first. Who was told before is not told twice. */
  #askAnew(name: string, topic: Topic, replay: Replay): void {
    topic.replay = replay;
    topic.served = false;
    topic.pending = undefined;
    if (this.#asked.has(name)) this.#anew.add(name);
  }

  #listed(frame: Extract<ServerFrame, { type: "task_list" }>): void {
    for (const task of frame.data.tasks) this.#list.set(task.task_id, task);
    if ("removed" in frame.data) { for (const id of frame.data.removed) this.#list.delete(id); }
    for (const watch of this.#topics.get(LIST)?.watches ?? []) watch.onFrame(frame);
  }

  #gap(frame: Extract<ServerFrame, { type: "gap" }>): void {
    const { topics, epoch, missed_to: missedTo } = frame.data;
    const isAnother = this.#epoch !== epoch;
    if (isAnother) {
      this.#epoch = epoch;
      this.#seq = missedTo;
      for (const told of this.#told.values()) told.clear();
    }
    const watches = new Set<Watch>();
    for (const name of topics) {
      const topic = this.#topics.get(name);
      if (topic === undefined) continue;
      topic.pending = "snapshot";
      topic.served = false;
      if (topic.replay === "none") topic.replay = "latest"; // what was missed may be what it wanted
      if (isAnother) topic.latest.clear();
      if (name === LIST) this.#list.clear();
      for (const watch of topic.watches) watches.add(watch);
    }
    this.#tellLive();
    for (const watch of watches) watch.onFrame(frame);
  }

  #caughtUp(frame: Extract<ServerFrame, { type: "caught_up" }>): void {
    const watches = new Set<Watch>();
    for (const name of frame.data.topics) {
      const topic = this.#topics.get(name);
      if (topic === undefined || !this.#held.has(name) || this.#anew.has(name)) continue;
      topic.pending = undefined;
      topic.served = true;
      for (const watch of topic.watches) watches.add(watch);
    }
    // Others may not have been brought as far.
    if ([...this.#topics.values()].every(({ pending }) => pending === undefined)) this.moved(frame.data.seq);
    for (const watch of watches) watch.onFrame(frame);
    this.#tellLive();
  }

  #tellLive(): void {
    for (const watch of [...this.#told.keys()]) {
      const isLive = this.isLive(watch);
      if (isLive === this.#live.has(watch)) continue;
      if (isLive) this.#live.add(watch);
      else this.#live.delete(watch);
      watch.onLive(isLive);
    }
  }
}
