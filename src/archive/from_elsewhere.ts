import { channelOf, channelSubject } from "../channel/channel_subject.ts";
import type { Entry, EventLog } from "../log/event_log.ts";
import { isTaskId } from "../protocol/names.ts";
import { taskOf } from "../protocol/topics.ts";
import { namesIn } from "../task/worker_event.ts";
import type { Standing } from "./imported.ts";

/** Tasks and channels of which nothing was stored, because the target had records of them from elsewhere. */
export type ThereAlready = {
  /** How many, and how many records of theirs; of those that this run came upon. */
  readonly count: number;
  readonly records: number;
  /** Ids of tasks, topics of channels. */
  readonly first: readonly string[];
};

/** So many tasks and channels are remembered at once. */
const REMEMBERED = 100_000;
const KEPT_NAMES = 20;
/** So many of them are looked through at once, each a page at a time. */
const OWNERS_AT_ONCE = 32;
const PAGE = { limit: 1_000, maxBytes: 1_048_576 };

/**
 * Tells tasks and channels of which the target has any record from elsewhere: what is older would come to lie behind what is newer there, and
 * a task is the last of its events, a channel the last of its values. A channel about a task is that task's: who sees the one
 * sees the other.
 */
export class FromElsewhere {
  readonly #log: EventLog | undefined;
  readonly #standing: Standing;
  readonly #known = new Map<string, boolean>();
  readonly #first: string[] = [];
  #count = 0;
  #records = 0;

  /** `log`: the target, unless it holds nothing. */
  constructor(log: EventLog | undefined, standing: Standing) {
    this.#log = log;
    this.#standing = standing;
  }

  /** The entries without those of such tasks and channels. */
  async without(entries: readonly Entry[]): Promise<readonly Entry[]> {
    const log = this.#log;
    if (log === undefined) return entries;
    if (this.#known.size > REMEMBERED) this.#known.clear();
    const unknown = [...new Set(entries.flatMap(ownersOf).filter((owner) => !this.#known.has(owner)))];
    const upTo = unknown.length === 0 ? 0 : (await log.extent()).lastSeq;
    for (let at = 0; at < unknown.length; at += OWNERS_AT_ONCE) {
      await Promise.all(unknown.slice(at, at + OWNERS_AT_ONCE).map((owner) => this.#look(log, owner, upTo)));
    }
    return entries.filter((entry) => {
      const isThere = ownersOf(entry).some((owner) => this.#known.get(owner) === true);
      if (isThere) this.#records++;
      return !isThere;
    });
  }

  told(): ThereAlready {
    return { count: this.#count, records: this.#records, first: this.#first };
  }

  async #look(log: EventLog, owner: string, upTo: number): Promise<void> {
    let isThere = false;
    for (const subject of subjectsOf(owner)) isThere ||= await this.#hasOthers(log, subject, upTo);
    this.#known.set(owner, isThere);
    if (!isThere) return;
    this.#count++;
    if (this.#first.length < KEPT_NAMES) this.#first.push(owner);
  }

  /** Whether any record of a subject was not moved: the first, or one that came behind those that were. */
  async #hasOthers(log: EventLog, subject: string, upTo: number): Promise<boolean> {
    for (let after = 0; after < upTo;) {
      const page = await log.read({ ...PAGE, after, upTo, subject, ids: true });
      if (page.entries.some((entry) => !this.#standing.isMoved(entry))) return true;
      after = page.through;
    }
    return false;
  }
}

/** Whose a record is: a task's, by its id; a channel's, by its topic; of a channel about a task both. */
function ownersOf({ subject }: Entry): readonly string[] {
  const { taskId = "" } = namesIn(subject) ?? {};
  if (isTaskId(taskId)) return [taskId];
  const { topic } = channelOf(subject) ?? {};
  if (topic === undefined) return [];
  const about = taskOf(topic);
  return about === undefined ? [topic] : [about, topic];
}

/** Under which subjects the records of one lie; no id of a task has a colon. */
function subjectsOf(owner: string): readonly string[] {
  if (!owner.includes(":")) return [`task.${owner}.>`];
  const subject = channelSubject({ topic: owner, key: "" });
  return [subject, `${subject}.>`];
}
