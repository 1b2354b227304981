import * as v from "valibot";
import { isChannelName, isNamespace, isTag } from "../protocol/names.ts";
import { parseTopic } from "../protocol/topics.ts";

/** What a task is known by, which decides whether somebody may see it. */
export type TaskNames = { readonly taskId: string; readonly tags: readonly string[] };

/** An id or a tag of tasks that a scope has, or what those begin with. */
export type ScopeName = { readonly kind: "id" | "tag"; readonly text: string; readonly isWhole: boolean };

/** The most patterns that one token has. */
export const MAX_PATTERNS = 64;

const ID = /^[A-Za-z0-9_-]{1,128}$/;

/** A pattern of topics: all up to a `*` at its end, or one. */
export const TopicPattern = v.pipe(
  v.string(),
  v.check(
    (text) => parsePattern(text) !== undefined,
    "must be *, task:*, task:id:<id>, task:tag:<tag> or <namespace>:<name>, as data:<name>; a * at the end stands for any rest",
  ),
);

/** Texts that are in it whole, and beginnings of those that are. */
type Names = { readonly whole: ReadonlySet<string>; readonly beginnings: readonly string[] };

type Parsed = { readonly kind: Kind; readonly beginning: string; readonly isWhole: boolean };
/** Names of channels are by their namespace, and its colon. */
type Kind = "id" | "tag" | "all" | "task" | `${string}:`;

/**
 * What a token is about: the tasks and the channels that its patterns name. A task is seen by its id or by any of its tags, so
 * that tags divide tenants.
 */
export class Scope {
  /** The same for scopes of the same patterns. */
  readonly key: string;
  readonly #byKind: ReadonlyMap<Kind, Names>;
  readonly #everything: boolean;

  private constructor(patterns: readonly string[]) {
    const sorted = [...new Set(patterns)].sort();
    const parsed = sorted.map((text) => {
      const pattern = parsePattern(text);
      if (pattern === undefined) {
        throw new RangeError(`Cannot read the topic pattern ${JSON.stringify(text)}`);
      }
      return pattern;
    });
    this.key = sorted.join(" ");
    this.#byKind = namesByKind(parsed);
    this.#everything = this.#byKind.has("all");
  }

  /** The scope of some patterns. Throws a RangeError at one that is none; see {@link TopicPattern}. */
  static of(patterns: readonly string[]): Scope {
    return new Scope(patterns);
  }

  /** The patterns, sorted. */
  get patterns(): readonly string[] {
    return this.key === "" ? [] : this.key.split(" ");
  }

  /** The tags whose tasks it has, where they are all that it has; undefined where it has more, or its tags are many. */
  get onlyTags(): readonly string[] | undefined {
    const tags = this.#byKind.get("tag");
    const hasOthers = this.hasEveryTask || this.#byKind.has("id");
    return hasOthers || tags === undefined || tags.beginnings.length > 0 ? undefined : [...tags.whole];
  }

  /** What the tasks that it has are known by; nothing, where it has every task. */
  get taskNames(): readonly ScopeName[] {
    if (this.hasEveryTask) return [];
    return (["id", "tag"] as const).flatMap((kind) => {
      const { whole, beginnings } = this.#byKind.get(kind) ?? { whole: [], beginnings: [] };
      return [
        ...[...whole].map((text) => ({ kind, text, isWhole: true })),
        ...beginnings.map((text) => ({ kind, text, isWhole: false })),
      ];
    });
  }

  /** Whether it has every task there is. */
  get hasEveryTask(): boolean {
    return this.#everything || this.#byKind.has("task");
  }

  /** Whether a task is in it. */
  sees({ taskId, tags }: TaskNames): boolean {
    return this.hasEveryTask || this.#has("id", taskId) || tags.some((tag) => this.#has("tag", tag));
  }

  /** Whether any task that carries these tags, and whose id begins like this, may be in it. */
  maySee({ tags, beginning }: { readonly tags: readonly string[]; readonly beginning: string }): boolean {
    if (this.hasEveryTask || tags.some((tag) => this.#has("tag", tag))) return true;
    const { whole, beginnings } = this.#byKind.get("id") ?? { whole: [], beginnings: [] };
    for (const id of whole) if (id.startsWith(beginning)) return true;
    return beginnings.some((known) => known.startsWith(beginning) || beginning.startsWith(known));
  }

  /**
   * What of a task's names events may not be written under, as a topic; undefined where they may. That it could be seen is not
   * enough: whoever gives a task a tag shows it to all who have that tag, and an id is free only to whom it belongs.
   */
  foreignTo({ taskId, tags }: TaskNames): string | undefined {
    if (this.hasEveryTask) return undefined;
    if (!this.#has("id", taskId)) return `task:id:${taskId}`;
    const tag = tags.find((name) => !this.#has("tag", name));
    return tag === undefined ? undefined : `task:tag:${tag}`;
  }

  /**
   * Whether a topic may be held; it then brings what {@link sees} lets through. What is not known before a task is there, whose
   * tags may be any, is no reason to refuse: that would tell who has what.
   */
  allows(topic: string): boolean {
    if (this.#everything) return true;
    const parsed = parseTopic(topic);
    if (parsed === undefined) return false;
    if (parsed.kind === "channel" && parsed.taskId === undefined) {
      return this.#has(`${parsed.namespace}:`, parsed.name);
    }
    if (this.hasEveryTask) return true;
    switch (parsed.kind) {
      case "all":
      case "list":
        return this.#byKind.has("id") || this.#byKind.has("tag");
      case "task":
      case "channel":
        return this.#byKind.has("tag") || this.#has("id", parsed.taskId ?? "");
      case "tag":
        return this.#has("tag", parsed.tag);
    }
  }

  #has(kind: Kind, name: string): boolean {
    const names = this.#byKind.get(kind);
    if (names === undefined) return false;
    return names.whole.has(name) || names.beginnings.some((beginning) => name.startsWith(beginning));
  }
}

function namesByKind(parsed: readonly Parsed[]): ReadonlyMap<Kind, Names> {
  const byKind = new Map<Kind, { whole: Set<string>; beginnings: string[] }>();
  for (const { kind, beginning, isWhole } of parsed) {
    const names = byKind.get(kind) ?? { whole: new Set(), beginnings: [] };
    byKind.set(kind, names);
    if (isWhole) names.whole.add(beginning);
    else names.beginnings.push(beginning);
  }
  return byKind;
}

function parsePattern(text: string): Parsed | undefined {
  if (text === "*") return { kind: "all", beginning: "", isWhole: false };
  if (text === "task:*") return { kind: "task", beginning: "", isWhole: false };
  const isWhole = !text.endsWith("*");
  const [, kind, beginning] =
    /^(task:id|task:tag|[a-z][a-z0-9_]*):(.*)$/s.exec(isWhole ? text : text.slice(0, -1)) ?? [];
  if (kind === undefined || beginning === undefined) return undefined;
  const isEmpty = beginning === "" && !isWhole;
  switch (kind) {
    case "task:id":
      return isEmpty || ID.test(beginning) ? { kind: "id", beginning, isWhole } : undefined;
    case "task:tag":
      return isEmpty || isTag(beginning) ? { kind: "tag", beginning, isWhole } : undefined;
    default:
      if (kind === "task" || !isNamespace(kind)) return undefined;
      return isEmpty || isChannelName(beginning) ? { kind: `${kind}:`, beginning, isWhole } : undefined;
  }
}
