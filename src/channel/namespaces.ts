import * as v from "valibot";
import { isNamespace } from "../protocol/names.ts";

/**
 * What becomes of values of which there are newer ones before they were sent: `latest` keeps the newest of each key, `all` keeps
 * every one, and `none` keeps none for whoever is behind: they are for those who are live.
 */
export type Conflation = "latest" | "all" | "none";

/** A namespace of channels: `<name>:<anything>`. */
export type Namespace = {
  /** 1–32 of `a-z0-9_`, a letter first; `task` is taken. */
  readonly name: string;
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

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** Adds one. Throws a RangeError where its name is taken, or is none. */
  add(namespace: Namespace): void {
    const { name } = namespace;
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
    return this.#byName.get(topic.slice(0, topic.indexOf(":")));
  }
}
