import * as v from "valibot";
import { isNamespace } from "../protocol/names.ts";
import { isFacet, namespaceOf, taskOf, type Topic } from "../protocol/topics.ts";
import type { EventRecord, Parsed } from "../task/worker_event.ts";
import { type ParsedUpdate, parseUpdate } from "./channel_update.ts";
import { type Conflation, type Namespace, type OwnRecords, retains } from "./namespace.ts";

/** The namespaces that there are. They come and go while the gateway runs. */
export class Namespaces {
  readonly #byName = new Map<string, Namespace>();
  /** Those with records of their own, by their space. */
  readonly #bySpace = new Map<string, OwnRecords>();

  constructor(namespaces: readonly Namespace[]) {
    for (const namespace of namespaces) this.add(namespace);
  }

  /** Their names, sorted. */
  get names(): readonly string[] {
    return [...this.#byName.keys()].sort();
  }

  /** What they are, in the order in which they came. */
  get described(): readonly Namespace[] {
    return [...this.#byName.values()];
  }

  /** Whether there is the namespace of a topic, for what it is about. */
  has(topic: Topic): boolean {
    if (topic.kind !== "channel") return this.#byName.has("task");
    const { namespace, taskId } = topic;
    const known = this.#byName.get(namespace);
    return known !== undefined && known.records === undefined &&
      (known.of === "task") === (taskId !== undefined);
  }

  /** Understands a stored record by whichever namespace it is of, or says in one sentence why it is of none. Never throws. */
  read(record: EventRecord): Parsed | ParsedUpdate {
    const { subject } = record;
    const own = this.#bySpace.get(subject.slice(0, subject.indexOf(".")));
    return own === undefined ? parseUpdate(record, this) : own.read(record);
  }

  /** Adds one. Throws a RangeError where its name is taken, or is none. */
  add(namespace: Namespace): void {
    const { name, of, conflation, retained } = namespace;
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
    this.#byName.set(name, namespace);
    if (namespace.records !== undefined) this.#bySpace.set(namespace.records.space, namespace.records);
  }

  /** Removes one; false where there was none. */
  remove(name: string): boolean {
    const space = this.#byName.get(name)?.records?.space;
    if (space !== undefined) this.#bySpace.delete(space);
    return this.#byName.delete(name);
  }

  /** Whether there is the namespace of a channel. */
  isThere(topic: string): boolean {
    return this.#of(topic) !== undefined;
  }

  /** How values of a topic are merged. */
  conflationOf(topic: string): Conflation {
    return this.#of(topic)?.conflation ?? "latest";
  }

  /** Whether who comes to a topic gets its last values. */
  isRetained(topic: string): boolean {
    const namespace = this.#of(topic);
    return namespace === undefined || retains(namespace);
  }

  /** Why a value may not be of its topic, in one sentence; undefined where it may. */
  faultOf({ topic, payload }: { readonly topic: string; readonly payload: unknown }): string | undefined {
    const schema = this.#of(topic)?.payload;
    if (schema === undefined) return undefined;
    const result = v.safeParse(schema, payload, { abortEarly: true });
    if (result.success) return undefined;
    const [issue] = result.issues;
    const path = issue === undefined ? undefined : v.getDotPath(issue);
    return `payload${path === null || path === undefined ? "" : `.${path}`}: ${
      issue?.message ?? "is none of these"
    }`;
  }

  #of(topic: string): Namespace | undefined {
    const namespace = this.#byName.get(namespaceOf(topic));
    if (namespace?.records !== undefined) return undefined;
    return (namespace?.of === "task") === (taskOf(topic) !== undefined) ? namespace : undefined;
  }
}
