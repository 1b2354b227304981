import type { Scope, TaskNames } from "../access/scope.ts";

/** How far somebody was told of removals: of all before position `at`, and of those at it that are among the first `count`. */
export type Told = { readonly at: number; readonly count: number };

/** Tasks of the same tags that were forgotten: what their ids have in common at the beginning, and up to where they were. */
type Alike = { readonly tags: readonly string[]; readonly beginning: string; readonly upTo: Told };

/** So many kinds of tags are told apart; those longest not met count for everybody. */
const MAX_KINDS = 1_000;

/** Which removals are not remembered any more, as far as it matters who might have seen the tasks. */
export class Forgotten {
  /** By tags, those met last last. */
  readonly #alike = new Map<string, Alike>();
  /** Up to here anything may have been forgotten. */
  #ofAll: Told = { at: 0, count: 0 };
  #newest: Told = { at: 0, count: 0 };

  /** Begins anew: nobody knows what was up to `upTo`. */
  reset(upTo: Told): void {
    this.#alike.clear();
    this.#ofAll = upTo;
    this.#newest = upTo;
  }

  /** Notes that the removal of a task was forgotten. */
  add({ taskId, tags }: TaskNames, upTo: Told): void {
    const key = kindOf(tags);
    const known = this.#alike.get(key);
    const beginning = known === undefined ? taskId : commonBeginning(known.beginning, taskId);
    this.#alike.delete(key);
    this.#alike.set(key, { tags, beginning, upTo });
    this.#newest = later(this.#newest, upTo);
    for (const [oldest, { upTo: gone }] of this.#alike) {
      if (this.#alike.size <= MAX_KINDS) break;
      this.#alike.delete(oldest);
      this.#ofAll = later(this.#ofAll, gone);
    }
  }

  /** Whether nothing was forgotten after `told` that somebody may have seen: of this scope, or else of all tasks. */
  hasNoneAfter(told: Told, scope: Scope | undefined): boolean {
    if (!isBefore(told, this.#newest)) return true;
    if (scope === undefined || isBefore(told, this.#ofAll)) return false;
    for (const { tags, beginning, upTo } of this.#alike.values()) {
      if (isBefore(told, upTo) && scope.maySee({ tags, beginning })) return false;
    }
    return true;
  }
}

/** By what tasks that carry these tags, and no others, are known. */
export function kindOf(tags: readonly string[]): string {
  return tags.join(",");
}

function commonBeginning(one: string, other: string): string {
  let end = 0;
  while (end < one.length && one[end] === other[end]) end++;
  return one.slice(0, end);
}

function later(one: Told, other: Told): Told {
  return isBefore(one, other) ? other : one;
}

function isBefore(one: Told, other: Told): boolean {
  return one.at < other.at || (one.at === other.at && one.count < other.count);
}
