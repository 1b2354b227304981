import type { Scope, TaskNames } from "../access/scope.ts";
import type { TaskEvent } from "../task/worker_event.ts";

/** A stretch of the stream: the positions after `after` and up to `through`. */
export type Stretch = { readonly after: number; readonly through: number };

/** From which position on a task had which tags. */
type Spell = { readonly from: number; readonly tags: readonly string[] };

/**
 * Whose a task was at each position: what is said about it is for whoever could see it when that was said, by the tags that it
 * had by then. Before the first of its `created` that is known it is nobody's by a tag.
 */
export class Whose {
  readonly #taskId: string;
  /** Ascending, no two alike side by side. */
  readonly #spells: Spell[] = [];

  constructor(taskId: string) {
    this.#taskId = taskId;
  }

  /** Takes in the next `created`: of those the last one counts. */
  add({ seq, body: { tags = [] } }: TaskEvent<"created">): this {
    if (!isSame(tags, this.#spells.at(-1)?.tags ?? [])) this.#spells.push({ from: seq, tags });
    return this;
  }

  /** What the task was known by when a record came at `seq`. */
  at(seq: number): TaskNames {
    const spell = this.#spells.findLast(({ from }) => from <= seq);
    return { taskId: this.#taskId, tags: spell?.tags ?? [] };
  }

  /** Where, up to `head`, it could be seen by who sees the tasks of `scope`; ascending, and apart from each other. */
  seenBy(scope: Scope, head: number): readonly Stretch[] {
    const seen: Stretch[] = [];
    const spells = [{ from: 0, tags: [] }, ...this.#spells];
    for (const [i, { from, tags }] of spells.entries()) {
      const after = Math.max(0, from - 1);
      const through = Math.min(head, (spells[i + 1]?.from ?? Infinity) - 1);
      if (after >= through || !scope.sees({ taskId: this.#taskId, tags })) continue;
      const last = seen.at(-1);
      if (last?.through === after) seen[seen.length - 1] = { after: last.after, through };
      else seen.push({ after, through });
    }
    return seen;
  }
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.every((tag) => others.includes(tag)) && others.every((tag) => some.includes(tag));
}
