import * as v from "valibot";
import { isNamespace } from "../protocol/names.ts";
import { type ChannelTopic, isFacet, namespaceOf, taskOf } from "../protocol/topics.ts";

/**
 * What becomes of values of which there are newer ones before they were sent: `latest` keeps the newest of each key, `all` keeps
 * every one, and `none` keeps none for whoever is behind: they are for those who are live.
 */
export type Conflation = "latest" | "all" | "none";

/** A namespace of channels: `<name>:<anything>`; or `task:id:<task_id>:<name>` where each is about a task. */
export type Namespace = {
  /** 1–32 of `a-z0-9_`, a letter first; `task` is taken. */
  readonly name: string;
  /** What its channels are about. Who may see a task may follow what is about it, and nobody else. Default: nothing. */
  readonly of?: "task";
  /** Default: `latest`. */
  readonly conflation?: Conflation;
  /** Whether who comes to a channel gets the last value of each key. Default: of all but `none`. */
  readonly retained?: boolean;
  /** What its values must look like. Default: any JSON. */
  readonly payload?: v.GenericSchema;
};

/** The namespaces that every gateway has. */
export const BUILT_IN: readonly Namespace[] = [{ name: "data" }, { name: "strategy" }];

/** The namespaces of channels that there are. They come and go while the gateway runs. */
export class Namespaces {
  readonly #byName = new Map<string, Namespace>();

  constructor(namespaces: readonly Namespace[] = BUILT_IN) {
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

  /** Whether a channel may be: whether there is its namespace, for what it is about. */
  has({ namespace, taskId }: Pick<ChannelTopic, "namespace" | "taskId">): boolean {
    const known = this.#byName.get(namespace);
    return known !== undefined && (known.of === "task") === (taskId !== undefined);
  }

  /** Adds one. Throws a RangeError where its name is taken, or is none. */
  add(namespace: Namespace): void {
    const { name, of } = namespace;
    if (of === "task" && isFacet(name)) {
      throw new RangeError(`Cannot add the namespace "${name}": it is what tasks have themselves`);
    }
    if (!isNamespace(name) || name === "task") {
      throw new RangeError(
        `Cannot add the namespace ${JSON.stringify(name)}: must be 1–32 of a-z0-9_, a letter first`,
      );
    }
    if (this.#byName.has(name)) throw new RangeError(`Cannot add the namespace "${name}": it exists`);
    this.#byName.set(name, namespace);
  }

  /** Removes one; false where there was none. */
  remove(name: string): boolean {
    return this.#byName.delete(name);
  }

  /** How values of a topic are merged. */
  conflationOf(topic: string): Conflation {
    return this.#of(topic)?.conflation ?? "latest";
  }

  /** Whether who comes to a topic gets its last values. */
  isRetained(topic: string): boolean {
    const namespace = this.#of(topic);
    return namespace?.retained ?? namespace?.conflation !== "none";
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
    return (namespace?.of === "task") === (taskOf(topic) !== undefined) ? namespace : undefined;
  }
}
