import type { Scope } from "../access/scope.ts";
import { parseTopic, printTopic, type Topic } from "../protocol/topics.ts";
import type { Block } from "./block.ts";
import { type Delivery, isLost, isSeen } from "./delivery.ts";

/** Topics as printed, each with the position from which on it is to be served: events after it. */
export type Held = ReadonlyMap<string, number>;

/** What of one delivery somebody is to get. */
export type Share = {
  readonly delivery: Delivery;
  readonly progress: boolean;
  readonly status: boolean;
  /** Whether it goes into a `task_list` frame. */
  readonly list: boolean;
  /** Whether the task goes out of sight with it, so that `task_list` loses it. */
  readonly lost?: boolean;
};

/** From which position on each half of a task's frames is wanted; infinite where it is not. */
type Facets = { progress: number; status: number };

/** Which deliveries whoever holds some topics is to get; where it may not see every task, of those in `scope`. */
export class Interest {
  /** The topics and the scope as one text: who has the same gets the same. */
  readonly key: string;
  readonly #scope: Scope | undefined;
  readonly #all: Facets = { progress: Infinity, status: Infinity };
  /** By ids of tasks, and by topics of channels. */
  readonly #tasks = new Map<string, Facets>();
  readonly #tags = new Map<string, Facets>();
  /** The tasks that topics name, those of channels about them too. */
  readonly #named = new Set<string>();
  #list = Infinity;

  constructor(held: Held, scope?: Scope) {
    this.key = keyOf(held.keys(), scope);
    this.#scope = scope;
    for (const [text, from] of held) {
      const topic = parseTopic(text);
      if (topic !== undefined) this.#add(topic, from);
    }
  }

  /** Whether there may be anything in a block; false only where there is nothing. */
  mayWant(block: Block): boolean {
    return this.#isBroad(block) || block.hasAny(this.#tasks.keys(), this.#tags.keys()) ||
      (block.hasLost && block.hasAny(this.#named, []));
  }

  /** What of a block's deliveries after `after` and up to `through` is wanted. */
  *of(
    block: Block,
    { after, through }: { readonly after: number; readonly through: number },
  ): Generator<Share> {
    const some = this.#isBroad(block) ? block.deliveries : block.those(this.#tasks.keys(), this.#tags.keys());
    for (const delivery of some) {
      const share = delivery.seq > after && delivery.seq <= through ? this.share(delivery) : undefined;
      if (share !== undefined) yield share;
    }
  }

  /** What of one delivery is wanted; undefined where nothing. */
  share(delivery: Delivery): Share | undefined {
    const { seq } = delivery;
    if (this.#scope !== undefined && !isSeen(delivery, this.#scope)) {
      const lost = this.#list < seq && isLost(delivery, this.#scope);
      return lost ? { delivery, progress: false, status: false, list: false, lost } : undefined;
    }
    const progress = delivery.progress !== undefined && this.#from("progress", delivery) < seq;
    const status = delivery.status !== undefined && this.#from("status", delivery) < seq;
    const list = delivery.status !== undefined && this.#list < seq;
    return progress || status || list ? { delivery, progress, status, list } : undefined;
  }

  /** The tasks of which topics are held, by their ids, that go out of sight in the same part of a block. */
  *lost(
    block: Block,
    { after, through }: { readonly after: number; readonly through: number },
  ): Generator<string> {
    if (this.#scope === undefined || this.#named.size === 0) return;
    for (const delivery of block.those(this.#named, [])) {
      const { seq, taskId } = delivery;
      if (seq > after && seq <= through && isLost(delivery, this.#scope)) yield taskId;
    }
  }

  #from(facet: keyof Facets, { taskId, tags, key }: Delivery): number {
    if (key !== undefined) return this.#tasks.get(taskId)?.[facet] ?? Infinity;
    let from = Math.min(this.#all[facet], this.#tasks.get(taskId)?.[facet] ?? Infinity);
    for (const tag of tags) from = Math.min(from, this.#tags.get(tag)?.[facet] ?? Infinity);
    return from;
  }

  #isBroad(block: Block): boolean {
    return Math.min(this.#all.progress, this.#all.status, this.#list) < Infinity ||
      this.#tasks.size + this.#tags.size > block.size;
  }

  #add(topic: Topic, from: number): void {
    switch (topic.kind) {
      case "all":
        return lower(this.#all, topic.facet, from);
      case "list":
        this.#list = Math.min(this.#list, from);
        return;
      case "task":
        this.#named.add(topic.taskId);
        return lower(facetsIn(this.#tasks, topic.taskId), topic.facet, from);
      case "tag":
        return lower(facetsIn(this.#tags, topic.tag), topic.facet, from);
      case "channel":
        if (topic.taskId !== undefined) this.#named.add(topic.taskId);
        return lower(facetsIn(this.#tasks, printTopic(topic)), undefined, from);
    }
  }
}

/** Topics, and the scope they are held in, as one text. */
export function keyOf(topics: Iterable<string>, scope: Scope | undefined): string {
  const sorted = [...topics].sort().join(" ");
  return scope === undefined ? sorted : `${sorted} of ${scope.key}`;
}

function facetsIn(index: Map<string, Facets>, key: string): Facets {
  const known = index.get(key) ?? { progress: Infinity, status: Infinity };
  index.set(key, known);
  return known;
}

function lower(facets: Facets, facet: keyof Facets | undefined, from: number): void {
  if (facet !== "status") facets.progress = Math.min(facets.progress, from);
  if (facet !== "progress") facets.status = Math.min(facets.status, from);
}
