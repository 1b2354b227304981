import type { TaskNames } from "../access/scope.ts";
import { namespaceOf, parseTopic } from "../protocol/topics.ts";
import type { Namespaces } from "../channel/namespaces.ts";
import type { ChannelUpdate } from "../channel/channel_update.ts";
import type { Delivery } from "./delivery.ts";
import { channelDelivery } from "./channel_delivery.ts";
import { KnownIds } from "./known_ids.ts";
import type { Whose } from "./whose.ts";

/** The last value of each key of the channels, as far as there is room. */
type Kept = Map<string, Delivery>;

/** The last values of a namespace are being read, which is of use until they are let go of anew. */
export type Reading = { readonly isWanted: () => boolean; readonly done: () => void };

/**
 * A channel, how many values it holds, and where and when (ms since the epoch) the last of them was published; about which task,
 * as it was known by then, where that is {@link Channels.settle | known}.
 */
export type HeldChannel = {
  readonly topic: string;
  readonly about?: TaskNames | undefined;
  readonly keys: number;
  readonly seq: number;
  readonly atMs: number;
};

/**
 * What channels hold: the last value of each key. Beyond `maxBytes` the channel that changed longest ago is let go of whole;
 * the log knows its values then, as it knows tasks that left memory.
 */
export class Channels {
  readonly #maxBytes: number;
  readonly #namespaces: Namespaces;
  /** The one that changed last, last. */
  readonly #byTopic = new Map<string, Kept>();
  readonly #evicted = new KnownIds();
  /** Namespaces of which values came while they were not there, with the reading of them that is under way. */
  readonly #unread = new Map<string, Reading>();
  #bytes = 0;

  constructor(maxBytes: number, namespaces: Namespaces) {
    this.#namespaces = namespaces;
    this.#maxBytes = maxBytes;
  }

  /** How many values are held. */
  get size(): number {
    let size = 0;
    for (const kept of this.#byTopic.values()) size += kept.size;
    return size;
  }

  /** What they weigh, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a value in, the newest of its key, of a channel that may be about a task; returns what there is to tell. */
  put(update: ChannelUpdate, about?: TaskNames): Delivery {
    const delivery = channelDelivery(update, this.#namespaces.conflationOf(update.topic), about);
    if (!this.#namespaces.isRetained(update.topic)) return delivery;
    const { topic, key } = update;
    const kept = this.#byTopic.get(topic) ?? new Map<string, Delivery>();
    // Of one that is not here whole nothing is kept: a part of it would be taken for all.
    if (this.#isEvicted(topic) || (kept.get(key)?.seq ?? 0) > update.seq) return delivery;
    this.#byTopic.delete(topic);
    this.#byTopic.set(topic, kept);
    this.#bytes += delivery.bytes - (kept.get(key)?.bytes ?? 0);
    kept.delete(key);
    kept.set(key, delivery);
    this.#evict();
    return delivery;
  }

  /** The last value of each key, those that changed longest ago first; undefined where the log has to be asked. */
  retained(topic: string): Iterable<Delivery> | undefined {
    if (!this.#namespaces.isRetained(topic)) return [];
    return this.#mustAsk(topic) ? undefined : this.#byTopic.get(topic)?.values() ?? [];
  }

  /** The channels that are held whole, of namespaces that there still are: the one that changed last, first. */
  newestFirst(): readonly HeldChannel[] {
    const held: HeldChannel[] = [];
    for (const [topic, kept] of this.#byTopic) {
      const parsed = parseTopic(topic);
      if (parsed?.kind !== "channel" || !this.#namespaces.has(parsed) || this.#mustAsk(topic)) continue;
      let last: Pick<Delivery, "seq" | "atMs" | "about"> = { seq: 0, atMs: 0 };
      // A boot brings those last whose last record is no value.
      for (const one of kept.values()) if (one.seq > last.seq) last = one;
      held.push({ topic, keys: kept.size, seq: last.seq, atMs: last.atMs, about: last.about });
    }
    return held.sort((a, b) => b.seq - a.seq);
  }

  /** The first position of a value of a channel about a task of which it is not known whose that was; undefined where there is none. */
  unsettledFrom(topic: string): number | undefined {
    let from: number | undefined;
    for (const { about, seq } of this.#byTopic.get(topic)?.values() ?? []) {
      if (about === undefined) from = Math.min(seq, from ?? Infinity);
    }
    return from;
  }

  /** Says whose the task was when those values came. */
  settle(topic: string, whose: Whose): void {
    const kept = this.#byTopic.get(topic);
    for (const [key, delivery] of kept ?? []) {
      if (delivery.about === undefined) kept?.set(key, { ...delivery, about: whose.at(delivery.seq) });
    }
  }

  /**
   * Lets go of what is held of a namespace that was not there for a while: the log knows what came meanwhile, and is asked for
   * each channel until all of it was {@link put} and `done`, which is of no effect where it was let go of anew since.
   */
  ask(namespace: string): Reading {
    const reading: Reading = {
      isWanted: () => this.#unread.get(namespace) === reading,
      done: () => {
        if (reading.isWanted()) this.#unread.delete(namespace);
      },
    };
    this.#unread.set(namespace, reading);
    for (const [topic, kept] of this.#byTopic) {
      if (namespaceOf(topic) !== namespace) continue;
      for (const { bytes } of kept.values()) this.#bytes -= bytes;
      this.#byTopic.delete(topic);
    }
    return reading;
  }

  /** Retention took what lies before `firstSeq`. */
  expire(firstSeq: number): void {
    for (const [topic, kept] of this.#byTopic) {
      for (const [key, { seq, bytes }] of kept) {
        if (seq >= firstSeq) continue;
        kept.delete(key);
        this.#bytes -= bytes;
      }
      if (kept.size === 0) this.#byTopic.delete(topic);
    }
  }

  #mustAsk(topic: string): boolean {
    return this.#isEvicted(topic) || this.#unread.has(namespaceOf(topic));
  }

  /** Of one that is held it is no question; a few that never were are taken for let go of, and cost a look into the log. */
  #isEvicted(topic: string): boolean {
    return !this.#byTopic.has(topic) && this.#evicted.mayHave(topic);
  }

  #evict(): void {
    for (const [topic, kept] of this.#byTopic) {
      if (this.#bytes <= this.#maxBytes) return;
      for (const { bytes } of kept.values()) this.#bytes -= bytes;
      this.#byTopic.delete(topic);
      this.#evicted.add(topic);
    }
  }
}
