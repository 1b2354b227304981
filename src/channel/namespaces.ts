import * as v from "valibot";
import { brokenRule } from "../protocol/client_frames.ts";
import { isNamespace } from "../protocol/names.ts";
import { isFacet, namespaceOf, taskOf, type Topic } from "../protocol/topics.ts";
import type { EventRecord, Parsed } from "../task/worker_event.ts";
import { isChannelSpace } from "./channel_subject.ts";
import { type ParsedUpdate, parseUpdate } from "./channel_update.ts";
import { type Conflation, type Namespace, type OwnRecords, retains } from "./namespace.ts";

/** Whether a value just comes: it is published, or followed. What was told then is looked at again whenever it is read. */
export type When = { readonly isNew: boolean };

/** Runs what looks at a value, with what is a plug-in's in it, and says what is wrong: that it failed, where it did. Never throws. */
export type Judge = (fault: () => string | undefined, when: When) => string | undefined;

type There = { readonly namespace: Namespace; readonly judge: Judge };

/** What namespaces may be. */
export type NamespacesOptions = {
  /** Whether there may be channels, which are nowhere in a log of partitions. Default: true. */
  readonly areChannels?: boolean;
};

const NO_CHANNELS = "in a log of partitions there are no channels";

/** The namespaces that there are. They come and go while the gateway runs. */
export class Namespaces {
  readonly #areChannels: boolean;
  readonly #byName = new Map<string, There>();
  /** Those with records of their own, by their space. */
  readonly #bySpace = new Map<string, OwnRecords>();

  #generation = 0;

  constructor(namespaces: readonly Namespace[], { areChannels = true }: NamespacesOptions = {}) {
    this.#areChannels = areChannels;
    for (const namespace of namespaces) this.add(namespace);
  }

  /** Another number whenever one came or went: what was read by others is not what it is by these, whatever their names are. */
  get generation(): number {
    return this.#generation;
  }

  /** Their names, sorted. */
  get names(): readonly string[] {
    return [...this.#byName.keys()].sort();
  }

  /** What they are, in the order in which they came. */
  get described(): readonly Namespace[] {
    return Array.from(this.#byName.values(), ({ namespace }) => namespace);
  }

  /** What is to be said behind the topic of a channel that there is not; empty where it is just that one. */
  get whyNone(): string {
    return this.#areChannels ? "" : `: ${NO_CHANNELS}`;
  }

  /** Whether there is the namespace of a topic, for what it is about. */
  has(topic: Topic): boolean {
    if (topic.kind !== "channel") return this.#byName.has("task");
    const { namespace, taskId } = topic;
    const known = this.#byName.get(namespace)?.namespace;
    return known !== undefined && known.records === undefined &&
      (known.of === "task") === (taskId !== undefined);
  }

  /** Understands a stored record by whichever namespace it is of, or says in one sentence why it is of none. Never throws. */
  read(record: EventRecord, when: When = { isNew: false }): Parsed | ParsedUpdate {
    const { subject } = record;
    const own = this.#bySpace.get(subject.slice(0, subject.indexOf(".")));
    return own === undefined ? parseUpdate(record, this, when) : own.read(record);
  }

  /**
   * Adds one whose values are looked at as `judge` does. Throws a RangeError where its name is taken, or is none, or it is one
   * that cannot be.
   */
  add(namespace: Namespace, judge: Judge = (fault) => fault()): void {
    const { name, of, conflation, retained, records } = namespace;
    if (records === undefined && !this.#areChannels) {
      throw new RangeError(`Cannot add the namespace "${name}": ${NO_CHANNELS}`);
    }
    if (records !== undefined && (this.#bySpace.has(records.space) || isChannelSpace(records.space))) {
      throw new RangeError(
        `Cannot add the namespace "${name}": what is under ${records.space}. is another's`,
      );
    }
    if (conflation === "none" && retained === true) {
      throw new RangeError(
        `Cannot add the namespace "${name}": of what is kept for nobody nothing can be retained`,
      );
    }
    if (of === "task" && isFacet(name)) {
      throw new RangeError(`Cannot add the namespace "${name}": it is what tasks have themselves`);
    }
    if (!isNamespace(name)) {
      throw new RangeError(
        `Cannot add the namespace ${JSON.stringify(name)}: must be 1–32 of a-z0-9_, a letter first`,
      );
    }
    if (this.#byName.has(name)) throw new RangeError(`Cannot add the namespace "${name}": it exists`);
    this.#byName.set(name, { namespace, judge });
    if (records !== undefined) this.#bySpace.set(records.space, records);
    this.#generation++;
  }

  /** Removes one; false where there was none. */
  remove(name: string): boolean {
    const there = this.#byName.get(name);
    if (there === undefined) return false;
    const { records } = there.namespace;
    if (records !== undefined) this.#bySpace.delete(records.space);
    this.#generation++;
    return this.#byName.delete(name);
  }

  /** Whether there is the namespace of a channel. */
  isThere(topic: string): boolean {
    return this.#of(topic) !== undefined;
  }

  /** How values of a topic are merged. */
  conflationOf(topic: string): Conflation {
    return this.#of(topic)?.namespace.conflation ?? "latest";
  }

  /** Whether who comes to a topic gets its last values. */
  isRetained(topic: string): boolean {
    const there = this.#of(topic);
    return there === undefined || retains(there.namespace);
  }

  /** Why a value may not be of its topic, in one sentence; undefined where it may. */
  faultOf(
    { topic, payload }: { readonly topic: string; readonly payload: unknown },
    when: When,
  ): string | undefined {
    const there = this.#of(topic);
    const schema = there?.namespace.payload;
    if (schema === undefined) return undefined;
    return there?.judge(() => {
      const result = v.safeParse(schema, payload, { abortEarly: true });
      return result.success ? undefined : brokenRule(result.issues, "payload");
    }, when);
  }

  #of(topic: string): There | undefined {
    const there = this.#byName.get(namespaceOf(topic));
    if (there?.namespace.records !== undefined) return undefined;
    return (there?.namespace.of === "task") === (taskOf(topic) !== undefined) ? there : undefined;
  }
}
