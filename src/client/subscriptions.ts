import type { ServerData, ServerFrame, TaskStatusData } from "../protocol/server_frames.ts";
import { ClientError } from "./client_error.ts";
import { HeldBack } from "./held_back.ts";
import { Holdings } from "./holdings.ts";
import { aboutOf, type NewsFrame, positionOf, saysEnded, topicsOf } from "./task_frame.ts";
import { MAX_RATE_HZ } from "./topic_request.ts";
import { fresh, resumed, type Topic } from "./topic.ts";
import type { Cursor, TopicRequest } from "./topic_request.ts";
import type { PushedFrame, Watch } from "./watch.ts";

const LIST = "task:list";

/**
 * Who here watches what, what the gateway holds for us, and how far it has brought us. The cursor is one for all topics
 * that are held: each that is served was brought everything up to it.
 */
export class Subscriptions {
  readonly #topics = new Map<string, Topic>();
  readonly #watches = new Set<Watch>();
  /** What the gateway holds of them. */
  readonly holdings = new Holdings(this.#topics);
  readonly #tags = new Map<string, readonly string[]>();
  readonly #list = new Map<string, TaskStatusData>();
  #epoch: string | undefined;
  #seq = 0;
  #isLate = false;
  /** How many have come and were not told how things are yet. */
  #joining = 0;
  /** Who is told how things are once the past was brought, which says so. */
  readonly #late = new Set<Watch>();
  readonly #heldBack = new HeldBack();

  /** Up to where what is held was brought; undefined before anything was. */
  get cursor(): Cursor | undefined {
    return this.#epoch === undefined ? undefined : { epoch: this.#epoch, seq: this.#seq };
  }

  /** So often a second progress and values are wanted, by whoever wants them most often. */
  get rateHz(): number {
    let most = 0.1;
    for (const { maxRateHz = MAX_RATE_HZ } of this.#watches) if (maxRateHz > most) most = maxRateHz;
    return Math.min(most, MAX_RATE_HZ);
  }

  /** Adds a watch. Of what is held already it is told what was told last, once whoever added it is done. */
  add(watch: Watch): void {
    const { replay } = watch;
    const known: string[] = [];
    this.#watches.add(watch);
    for (const name of watch.topics) {
      const topic = this.#topics.get(name);
      const isUnknown = replay === "latest" && topic?.replay === "none";
      if (topic !== undefined && replay !== "all" && !isUnknown) {
        topic.watches.add(watch);
        if (replay === "latest") known.push(name);
        continue;
      }
      const anew = topic === undefined ? fresh(replay, [watch]) : this.#anew(topic, watch);
      if (anew.replay !== replay) this.#late.add(watch);
      this.#topics.set(name, anew);
    }
    watch.told.isNew = known.length > 0 || this.#late.has(watch);
    this.#joining++;
    queueMicrotask(() => {
      watch.told.isNew = this.#late.has(watch);
      this.#retell(watch, known);
      if (--this.#joining === 0) this.#tellLive(); // once for all that came in this turn
    });
  }

  /**
   * A topic that is held, and of which somebody else wants what it began with: neither past nor present can be had of it
   * while it is held, so it is given back first. The present alone would not tell those who had it what happened in between:
   * unless they come back for that by themselves, it begins with the past. Nobody is told twice.
   */
  #anew({ watches, latest, served, since, floors }: Topic, watch: Watch): Topic {
    const isPast = [...watches].some(({ onAnew }) => onAnew === undefined);
    for (const { onAnew } of watches) onAnew?.();
    for (const one of watches) if (one.topics.length > 1) this.#heldBack.begin(one);
    const told = Math.min(this.#seq, since?.seq ?? Infinity);
    const known = served ? [...watches].map((one): [Watch, number] => [one, told]) : floors;
    return {
      ...fresh(isPast ? "all" : watch.replay, [...watches, watch]),
      latest,
      floors: new Map(known),
    };
  }

  /**
   * Adds watches of topics that were all brought up to `since` elsewhere: they are told what follows there. `held` where
   * it only has to come. `anew` where it takes another connection: then all topics go on together from there, so that
   * events come in the order of the stream. `later` where a topic is not served yet: nothing was added then.
   */
  resume(watches: readonly Watch[], since: Cursor): "held" | "anew" | "later" {
    const names = watches.flatMap(({ topics }) => topics);
    if (names.some((name) => this.#topics.get(name)?.served === false)) return "later";
    const isHeld = this.#seq <= since.seq && !this.#awaits("snapshot", "history") &&
      names.every((name) => this.holdings.has(name, this.#topics.get(name)));
    if (!isHeld) this.#seq = Math.min(this.#seq, since.seq);
    for (const watch of watches) {
      for (const name of watch.topics) {
        const topic = this.#topics.get(name) ?? resumed(since);
        if (topic.since !== undefined && since.seq < topic.since.seq) topic.since = since;
        topic.watches.add(watch);
        this.#topics.set(name, topic);
      }
      this.#watches.add(watch);
    }
    this.#tellLive();
    return isHeld ? "held" : "anew";
  }

  /** Takes a watch away, and the topics that nobody else watches. */
  remove(watch: Watch): void {
    if (!this.#watches.delete(watch)) return;
    this.#late.delete(watch);
    this.#heldBack.end(watch);
    for (const name of watch.topics) {
      const topic = this.#topics.get(name);
      topic?.floors.delete(watch);
      if (topic?.watches.delete(watch) && topic.watches.size === 0) this.#topics.delete(name);
    }
    if (!this.#topics.has(LIST)) this.#list.clear();
    if (this.#topics.size === 0) this.#tags.clear();
  }

  /** The connection is gone, and with it what the gateway held for us. */
  down(): void {
    this.holdings.down(this.cursor);
    this.#tellLive();
  }

  /** Tells whose topics have to wait, once. */
  tellWaiting(): void {
    const { size: max, waiting } = this.holdings;
    if (waiting.size === 0) return;
    this.#letGo((watch) => !this.#awaitsPast(watch));
    const message = "there is no room for more topics: they wait until others are given up";
    for (const watch of [...this.#watches]) {
      const topics = watch.topics.filter((name) => waiting.has(name));
      if (topics.length === 0 || watch.told.ofWaiting || !this.#watches.has(watch)) continue;
      watch.told.ofWaiting = true;
      watch.onError(new ClientError("LIMIT_EXCEEDED", message, { limit: "MAX_TOPICS", max, topics }));
    }
  }

  /** The gateway took a request. */
  taken(request: TopicRequest, { epoch, seq, recovered, replay }: ServerData["subscribed"]): void {
    // Where a gap is about to be told of, that is what says where positions begin anew.
    if (request.type === "subscribe" && recovered !== false && this.#enter(epoch, seq)) {
      this.#tellGap({ topics: request.topics, missed_from: 1, missed_to: seq, reason: "epoch", epoch });
    }
    // From here on all that is held is brought in the order of the stream, beginning there.
    if (recovered === true && "since" in request) this.#seq = Math.min(this.#seq, request.since.seq);
    const topics = this.holdings.taken(request);
    if ("replay" in request && request.replay === "none") { for (const topic of topics) topic.served = true; }
    this.#tellLive();
    if (replay?.truncated !== true) return;
    for (const watch of topics.flatMap(({ watches }) => [...watches])) {
      if (watch.told.ofTruncation || watch.replay !== "all" || !this.#watches.has(watch)) continue;
      watch.told.ofTruncation = true;
      watch.onTruncated();
    }
  }

  /** The gateway refused a request: it holds what it held before, and `offending` of those topics it never will. */
  refused(request: TopicRequest, offending: readonly string[], error: ClientError): void {
    this.holdings.refused(request);
    const lost = new Set(offending.flatMap((name) => [...this.#topics.get(name)?.watches ?? []]));
    for (const watch of lost) this.refuse(watch, error);
    this.#tellLive();
  }

  /** A watch has come in vain. */
  refuse(watch: Watch, error: ClientError): void {
    if (!this.#watches.has(watch)) return;
    this.remove(watch);
    watch.onError(error);
  }

  /** Nothing is told any more. */
  close(): void {
    for (const watch of [...this.#watches]) this.remove(watch);
  }

  /** Hands a pushed frame to those who watch for it, each event once. */
  pushed(frame: PushedFrame): void {
    switch (frame.type) {
      case "task_list":
        this.#listed(frame);
        break;
      case "gap":
        return this.#gap(frame);
      case "caught_up":
        return this.#caughtUp(frame);
      default:
        this.#news(frame);
    }
    if (frame.seq !== undefined && frame.snapshot !== true) this.moved(frame.seq);
  }

  /** Everything up to `seq` was brought. Amid a replay no position stands for what was. */
  moved(seq: number): void {
    if (!this.#awaits("snapshot", "history")) this.#seq = Math.max(this.#seq, seq);
  }

  /** Whether what comes may be of the past. */
  get isReplaying(): boolean {
    return this.#awaits("snapshot", "history", "resume");
  }

  #awaits(...what: readonly Topic["pending"][]): boolean {
    for (const { pending } of this.#topics.values()) {
      if (pending !== undefined && what.includes(pending)) return true;
    }
    return false;
  }

  get isLate(): boolean {
    return this.#isLate;
  }

  /** Whether what comes is of so long ago that nothing is live, for all that is known. */
  late(isLate: boolean): void {
    this.#isLate = isLate;
    this.#tellLive();
  }

  /** Positions are of this life of the stream from now on; whether they were of another before. */
  #enter(epoch: string, seq: number): boolean {
    if (this.#epoch === epoch) return false;
    this.#letGo(() => true);
    const isAnother = this.#epoch !== undefined;
    this.#epoch = epoch;
    this.#seq = seq;
    this.#list.clear();
    for (const { told } of this.#watches) told.clear();
    for (const { latest, floors } of this.#topics.values()) {
      latest.clear();
      floors.clear();
    }
    return isAnother;
  }

  /** Tells everybody of a gap of which the gateway has nobody to tell, as nothing was held when it came to be. */
  #tellGap(data: ServerData["gap"]): void {
    for (const watch of [...this.#watches]) this.#hand(watch, { type: "gap", id: "gap", timestamp: 0, data });
  }

  #news(frame: NewsFrame): void {
    const id = aboutOf(frame);
    if (frame.type === "task_status") this.#tags.set(id, frame.data.tags);
    const held = topicsOf(frame, this.#tags.get(id), this.#topics.keys())
      .flatMap((name) => this.holdings.held(name) ?? [])
      // A snapshot is for topics that were just asked for. To others it would come before what happened until then.
      .filter(({ pending }) => frame.snapshot !== true || pending === "snapshot");
    for (const topic of held) topic.latest.keep(frame);
    for (const watch of new Set(held.flatMap((topic) => this.#due(topic, frame)))) {
      if (!this.#heldBack.keep(watch, frame)) this.#hand(watch, frame);
    }
    if (saysEnded(frame)) this.#tags.delete(id);
  }

  /** Those of a topic to whom a frame of it may be news. */
  #due({ watches, floors }: Topic, frame: NewsFrame): readonly Watch[] {
    const position = positionOf(frame);
    return [...watches].filter((watch) =>
      frame.snapshot === true ? !this.#isToldInOrder(watch, frame) : position > (floors.get(watch) ?? 0)
    );
  }

  /** Whether another topic of a watch brings it every change of this task's status up to how it is by now. */
  #isToldInOrder({ topics }: Watch, frame: NewsFrame): boolean {
    if (frame.type !== "task_status") return false;
    return topicsOf(frame, frame.data.tags, topics).some((name) => {
      const topic = topics.includes(name) ? this.#topics.get(name) : undefined;
      if (topic === undefined || this.holdings.waiting.has(name)) return false;
      if (this.holdings.held(name) === topic) return topic.pending !== "snapshot";
      return topic.replay === "all" || topic.since !== undefined;
    });
  }

  #handAll(topics: readonly Topic[], frame: PushedFrame): void {
    for (const watch of new Set(topics.flatMap(({ watches }) => [...watches]))) this.#hand(watch, frame);
  }

  /** Somebody may have gone while others were told. */
  #hand(watch: Watch, frame: PushedFrame): void {
    if (this.#watches.has(watch) && watch.told.isNews(frame)) watch.onFrame(frame);
  }

  #retell(watch: Watch, names: readonly string[]): void {
    const frames = names.flatMap((name) => this.#topics.get(name)?.latest.frames() ?? []);
    for (const frame of frames.sort((a, b) => positionOf(a) - positionOf(b))) this.#hand(watch, frame);
    if (!names.includes(LIST) || this.#list.size === 0) return;
    const data = { tasks: [...this.#list.values()], removed: [] };
    this.#hand(watch, { type: "task_list", id: `list_${this.#seq}`, timestamp: 0, data });
  }

  #listed(frame: Extract<ServerFrame, { type: "task_list" }>): void {
    for (const task of frame.data.tasks) this.#list.set(task.task_id, task);
    if ("removed" in frame.data) { for (const id of frame.data.removed) this.#list.delete(id); }
    for (const watch of this.holdings.held(LIST)?.watches ?? []) this.#hand(watch, frame);
  }

  #gap(frame: Extract<ServerFrame, { type: "gap" }>): void {
    const { topics, epoch, missed_to: missedTo } = frame.data;
    this.#letGo(() => true);
    const isAnother = this.#enter(epoch, missedTo);
    if (topics.includes(LIST)) this.#list.clear();
    const held = topics.flatMap((name) => this.holdings.held(name) ?? []);
    for (const topic of held) {
      topic.pending = "snapshot";
      topic.served = false;
      if (topic.replay === "none") topic.replay = "latest"; // what was missed may be what it wanted
    }
    this.#tellLive();
    // Another life of the stream concerns those too whose topics are just being asked for.
    if (isAnother) this.#tellGap(frame.data);
    else this.#handAll(held, frame);
  }

  #caughtUp(frame: Extract<ServerFrame, { type: "caught_up" }>): void {
    const held = frame.data.topics.flatMap((name) => this.holdings.held(name) ?? []);
    for (const topic of held) {
      topic.pending = undefined;
      topic.served = true;
    }
    // Others may not have been brought as far.
    if (!this.isReplaying) this.moved(frame.data.seq);
    for (const watch of [...this.#late]) if (!this.#awaitsPast(watch)) this.#tellLate(watch);
    this.#letGo((watch) => !this.#awaitsPast(watch));
    this.#handAll(held, frame);
    this.#tellLive();
  }

  #awaitsPast({ topics }: Watch): boolean {
    return topics.some((name) => {
      const topic = this.#topics.get(name);
      return topic?.replay === "all" && !topic.served && !this.holdings.waiting.has(name);
    });
  }

  /** Hands over what was held back for these, in the order of the stream. */
  #letGo(isDue: (watch: Watch) => boolean): void {
    for (const watch of this.#heldBack.watches) {
      if (isDue(watch)) { for (const frame of this.#heldBack.end(watch)) this.#hand(watch, frame); }
    }
  }

  #tellLate(watch: Watch): void {
    this.#late.delete(watch);
    watch.told.isNew = false;
    this.#retell(watch, watch.topics);
  }

  /** Whether everything that this watch wants is live. */
  #isLive({ topics, told }: Watch): boolean {
    return !this.#isLate && !told.isNew && topics.every((name) => {
      const topic = this.#topics.get(name);
      return topic?.served && topic.pending === undefined && this.holdings.has(name, topic);
    });
  }

  #tellLive(): void {
    for (const watch of [...this.#watches]) {
      const isLive = this.#isLive(watch);
      if (isLive === watch.told.isLive || !this.#watches.has(watch)) continue;
      watch.told.isLive = isLive;
      watch.onLive(isLive);
    }
  }
}
