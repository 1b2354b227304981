import type { ScopeName, TaskNames } from "../access/scope.ts";
import type { Audience } from "./audience.ts";

/**
 * The audiences that hold one topic, found by the tasks that they may see: of a thousand tenants who all hold `task:status` an
 * event is for one.
 */
export class Holders {
  /** Those that see every task. */
  readonly #open = new Set<Audience>();
  /** Each of them. */
  readonly #all = new Set<Audience>();
  readonly #byName = new Map<string, Set<Audience>>();
  /** How many beginnings of ids and tags there are, by their lengths. */
  readonly #lengths = { id: new Map<number, number>(), tag: new Map<number, number>() };

  /** Whether nobody holds it. */
  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Takes an audience in. */
  add(audience: Audience): void {
    this.#all.add(audience);
    if (audience.scope === undefined) this.#open.add(audience);
    for (const name of audience.scope?.taskNames ?? []) {
      const key = keyOf(name);
      const known = this.#byName.get(key);
      if (known !== undefined) {
        known.add(audience);
        continue;
      }
      this.#byName.set(key, new Set([audience]));
      if (!name.isWhole) this.#count(name, 1);
    }
  }

  /** Lets an audience go. */
  delete(audience: Audience): void {
    this.#all.delete(audience);
    this.#open.delete(audience);
    for (const name of audience.scope?.taskNames ?? []) {
      const key = keyOf(name);
      const known = this.#byName.get(key);
      if (known?.delete(audience) !== true || known.size > 0) continue;
      this.#byName.delete(key);
      if (!name.isWhole) this.#count(name, -1);
    }
  }

  /** All of them, those too that may see no task at all. */
  all(): Iterable<Audience> {
    return this.#all;
  }

  /** Those that see a task of these names; some of them several times. */
  *of({ taskId, tags }: TaskNames): Generator<Audience> {
    yield* this.#open;
    if (this.#byName.size === 0) return;
    yield* this.#named("id", taskId);
    for (const tag of tags) yield* this.#named("tag", tag);
  }

  *#named(kind: ScopeName["kind"], text: string): Generator<Audience> {
    yield* this.#byName.get(keyOf({ kind, text, isWhole: true })) ?? [];
    for (const length of this.#lengths[kind].keys()) {
      if (length > text.length) continue;
      yield* this.#byName.get(keyOf({ kind, text: text.slice(0, length), isWhole: false })) ?? [];
    }
  }

  #count({ kind, text }: ScopeName, by: number): void {
    const lengths = this.#lengths[kind];
    const count = (lengths.get(text.length) ?? 0) + by;
    if (count > 0) lengths.set(text.length, count);
    else lengths.delete(text.length);
  }
}

function keyOf({ kind, text, isWhole }: ScopeName): string {
  return `${kind} ${text}${isWhole ? "" : "*"}`;
}
