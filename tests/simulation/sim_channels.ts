import { assert, assertEquals } from "@std/assert";
import { channelOf, channelSubject, type ChannelValue } from "../../src/channel/channel_subject.ts";
import type { PushedFrame } from "../../src/client/client.ts";
import type { Entry, NewEntry } from "../../src/log/event_log.ts";
import type { Plugin } from "../../src/plugins/plugin.ts";

/** Brings channels of which nothing is merged, about a task and about none. */
export const LINES: Plugin = {
  name: "lines",
  namespaces: [
    { name: "log", of: "task", conflation: "all", retained: false },
    { name: "chat", conflation: "all", retained: false },
  ],
};

const VALUES: readonly ChannelValue[] = [
  { topic: "data:price", key: "x" },
  { topic: "data:price", key: "y" },
  { topic: "data:price", key: "" },
  { topic: "task:id:t0:log", key: "" },
  { topic: "task:id:t0:log", key: "" },
  { topic: "chat:room", key: "" },
];

/** What is watched: what is merged, what is not, and both beside a task. */
export const WATCHED: readonly (readonly string[])[] = [
  ["data:price"],
  ["task:id:t0:log"],
  ["chat:room", "data:price", "task:id:t1"],
];

const encoder = new TextEncoder();

/** A value that is its own position. */
export function valueAt(seq: number, who: number): NewEntry {
  const value = VALUES[who % VALUES.length];
  assert(value !== undefined);
  return { subject: channelSubject(value), body: encoder.encode(String(seq)) };
}

function isLossless(topic: string): boolean {
  return !topic.startsWith("data:");
}

/** What somebody was told who watches channels, from the beginning. */
export class ChannelWitness {
  readonly topics: readonly string[];
  isLive = false;
  /** After this position nothing may be missing. */
  #from = 0;
  #gaps = 0;
  /** Values of which every one is to be told, in order. */
  #seen: number[] = [];
  /** The last value of each that is merged. */
  readonly #last = new Map<string, number>();

  constructor(topics: readonly string[]) {
    this.topics = topics;
  }

  /** It is live, or is so no more, while the log reached to `head`. */
  becomes(isLive: boolean, head: number): void {
    this.isLive = isLive;
    if (isLive && this.#from === Infinity) this.#from = head;
  }

  take(frame: PushedFrame): void {
    if (frame.type === "gap") {
      this.#gaps++;
      this.#from = Infinity;
      this.#seen = [];
      if (frame.data.reason === "epoch") this.#last.clear();
    }
    if (frame.type !== "data_update" && frame.type !== "channel_update") return;
    const { topic, key = "", payload } = frame.data;
    assert(typeof payload === "number" && this.topics.includes(topic), `${topic}: ${payload}`);
    if (isLossless(topic)) {
      const before = this.#seen.findLast(() => true) ?? 0;
      assert(payload > before, `${payload} of ${topic} came after ${before}`);
      this.#seen.push(payload);
    } else {
      const name = `${topic} ${key}`;
      const before = this.#last.get(name) ?? 0;
      assert(payload >= before, `${payload} of ${name} came after ${before}`);
      this.#last.set(name, payload);
    }
  }

  /** Holds what it knows against all that was ever `published`, of which retention took what lies up to `taken`. */
  assertKnows(
    published: readonly Entry[],
    { taken, isForgotten }: { readonly taken: number; readonly isForgotten: boolean },
  ): void {
    const from = Math.max(this.#from, taken);
    const due: number[] = [];
    const last = new Map<string, number>();
    for (const { seq, subject } of published) {
      const { topic = "", key = "" } = channelOf(subject) ?? {};
      if (!this.topics.includes(topic)) continue;
      if (!isLossless(topic)) last.set(`${topic} ${key}`, seq);
      else if (seq > from) due.push(seq);
    }
    if (!isForgotten) assertEquals([this.#gaps, this.#seen], [0, due], `every value of ${this.topics}, once`);
    const missed = due.filter((seq) => !this.#seen.includes(seq));
    assertEquals(missed, [], `nothing of ${this.topics} after ${from} is missing`);
    for (const [name, seq] of last) {
      if (seq > taken) assertEquals(this.#last.get(name), seq, `the last value of ${name}`);
    }
  }
}
