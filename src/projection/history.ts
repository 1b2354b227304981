import type { EventLog, Page } from "../log/event_log.ts";
import { LEVELS, type TaskState } from "../task/fold.ts";
import type { ChannelUpdate } from "../channel/channel_update.ts";
import { isChannel, taskOf } from "../protocol/topics.ts";
import type { TaskEvent } from "../task/worker_event.ts";
import { Block } from "./block.ts";
import { channelDelivery } from "./channel_delivery.ts";
import type { Delivery } from "./delivery.ts";
import { type Held, Interest } from "./interest.ts";
import type { Projection } from "./projection.ts";
import { isDoubtful, isSilent, pastOf, type PastStates, replayed, upTo } from "./replay.ts";
import { type PastTask, Scans } from "./scans.ts";
import { type SharedPage, SharedPages } from "./shared_pages.ts";
import { type EventPage, eventPage, type EventQuery } from "./task_events.ts";
import { Turns } from "./turns.ts";
import type { Whose } from "./whose.ts";

/** What of a block follows a position; `through` is the position up to which none is missing. */
export type ReplayPage = {
  readonly block: Block;
  readonly after: number;
  readonly through: number;
  /** Retention took what there was up to this position. Absent where it took nothing that was asked for. */
  readonly missedTo?: number;
  /** For whose topics all was passed over that is not for them. */
  readonly passedFor?: Held;
  /** Much was passed over, or there is nothing yet: others come first before it goes on. */
  readonly rests?: boolean;
};

/** A page to read: what follows `after`, up to `upTo`; of these tasks only where given, and for these topics. */
export type ReplayQuery = {
  readonly after: number;
  readonly upTo: number;
  readonly tasks?: ReadonlySet<string>;
  readonly held?: Held;
};

/** Bounds of what is read of the log at once; tests have smaller ones. */
export type PageBounds = {
  /** Pages of the whole stream begin at multiples of so many positions, so that readers of any cursor share them. */
  readonly positions: number;
  /** Records of some tasks at once. */
  readonly records: number;
  /** A page ends when its bodies reach this: what one slow reader may cost. */
  readonly bytes: number;
  /** So many pages are read at once; who wants more waits. */
  readonly atOnce: number;
};

/** The bounds of every gateway. */
export const PAGE: PageBounds = { positions: 512, records: 1_000, bytes: 262_144, atOnce: 64 };
/** So many blocks of the tail are passed over in one go. */
const PASSED_AT_ONCE = 32;
const EMPTY = new Block();
/** So many tasks are searched for at once rather than waiting until it is known where their events lie. */
const FEW = 8;

/**
 * The past as deliveries, the same that live watchers got: from the tail while it reaches back far enough, else
 * from the log. What several connections need of the log is read and folded once.
 */
export class History {
  readonly #log: EventLog;
  readonly #projection: Projection;
  readonly #bounds: PageBounds;
  readonly #scans = new Scans();
  readonly #shared = new SharedPages();
  /** Whose turn it is to read. */
  readonly turns: Turns;
  #searches = 0;

  constructor(log: EventLog, projection: Projection, bounds: PageBounds = PAGE) {
    this.#log = log;
    this.#projection = projection;
    this.#bounds = bounds;
    this.turns = new Turns(bounds.atOnce);
  }

  /** The next page. Answers at once where the tail has it; rejects with a LogError when the log is out of reach. */
  page(query: ReplayQuery): ReplayPage | Promise<ReplayPage> {
    const { after, upTo, tasks } = query;
    if (after >= this.#projection.tail.floor) return this.#fromTail(query);
    const read = tasks === undefined ? this.#fromStream(after) : this.#fromTasks(tasks, after);
    return read.then(({ block, through, missedTo }) => ({
      block,
      after,
      through: Math.min(through, upTo),
      ...(Math.min(through, upTo) <= after ? { rests: true } : {}),
      ...(missedTo > after ? { missedTo: Math.min(missedTo, upTo) } : {}),
    }));
  }

  /** What of the tail follows; blocks in which there is nothing for these topics are passed over. */
  #fromTail({ after, upTo, held }: ReplayQuery): ReplayPage {
    const { tail, head } = this.#projection;
    const interest = held && new Interest(held);
    const passedFor = held === undefined ? {} : { passedFor: held };
    const blocks = tail.after(after);
    let passed = after;
    for (const [i, block] of blocks.entries()) {
      const through = i === blocks.length - 1 ? Math.max(head, after) : block.lastSeq;
      if (interest === undefined || interest.mayWant(block)) {
        return { block, after: passed, through: Math.min(through, upTo), ...passedFor };
      }
      passed = through;
      if (passed >= upTo) break;
      if (i === PASSED_AT_ONCE) return { block: EMPTY, after, through: passed, rests: true, ...passedFor };
    }
    const through = Math.min(Math.max(head, after), upTo);
    // Where there is nothing yet it is asked again, which nobody may do without end in one turn.
    return { block: EMPTY, after, through, ...(through <= after ? { rests: true } : {}), ...passedFor };
  }

  /** Which life of the stream is read, and by which namespaces: what was read by others is not what it is by these. */
  get #reading(): string {
    const { epoch, namespaces } = this.#projection;
    return `${epoch} ${namespaces.generation}`;
  }

  /** The page of the whole stream that has what follows `after`: from the last one that begins before it. */
  async #fromStream(after: number): Promise<SharedPage> {
    const { positions, bytes } = this.#bounds;
    const reading = this.#reading;
    for (let start = after - after % positions;;) {
      const from = start;
      const end = from - from % positions + positions;
      const page = await this.#shared.page(
        `${reading} ${from}`,
        from,
        () =>
          this.turns.run(() =>
            this.#fromLog(reading, from, async (head) => {
              const most = { upTo: Math.min(end, head), limit: positions, maxBytes: bytes };
              const read = await this.#log.read({ after: from, ...most });
              return { ...read, intactFrom: read.entries[0]?.seq ?? Infinity };
            })
          ),
      );
      if (page.through > after || page.through <= from) return page;
      start = page.through;
    }
  }

  /** Lets go of what was read of the log and is not there any more; see {@link Projection.expire}. */
  expire(firstSeq: number): void {
    this.#shared.expire(firstSeq);
    this.#scans.expire(firstSeq);
  }

  #fromTasks(tasks: ReadonlySet<string>, after: number): Promise<SharedPage> {
    const scope = `${this.#reading} ${[...tasks].sort().join(" ")}`;
    return this.#shared.page(
      `${scope} ${after}`,
      after,
      () => this.turns.run(() => this.#fromLog(scope, after, (head) => this.#readTasks(tasks, after, head))),
    );
  }

  /** A page of a task's events as they were written; see {@link eventPage}. */
  async events(query: EventQuery): Promise<EventPage | undefined> {
    return await eventPage(this.#projection, this.turns, query);
  }

  /**
   * Reads and folds a page that begins after `after`; `scope` names the replay that it is a part of. From `intactFrom` on
   * retention took nothing of it.
   */
  async #fromLog(
    scope: string,
    after: number,
    read: (head: number) => Promise<Page & { readonly intactFrom?: number }>,
  ): Promise<SharedPage> {
    const { head } = this.#projection;
    const { entries, through, intactFrom = Infinity } = await read(head);
    // Looked at afterwards: what retention took before this page was read is missing from it.
    const { firstSeq } = await this.#log.extent();
    const missedTo = Math.max(after, Math.min(firstSeq, intactFrom, head + 1) - 1);
    const events: TaskEvent[] = [];
    const updates: ChannelUpdate[] = [];
    const { namespaces } = this.#projection;
    for (const entry of entries) {
      const parsed = namespaces.read(entry);
      if ("event" in parsed) events.push(parsed.event);
      else if ("update" in parsed) {
        const conflation = namespaces.conflationOf(parsed.update.topic);
        if (conflation !== "none") updates.push(parsed.update);
      }
    }
    const tasks = this.#scans.take(scope, after);
    if (missedTo > after) tasks.clear();
    const known = await this.#knownNow(events.map(({ taskId }) => taskId));
    const before = await this.#statesBefore(events, known, {
      after: missedTo,
      forgotten: firstSeq > 1,
      tasks,
    });
    const page = replayed(events, before, known, (id) => this.#projection.tasks.get(id));
    for (const [id, past] of page.tasks) {
      tasks.delete(id); // so that those met last come last
      tasks.set(id, past);
    }
    this.#scans.put(scope, through, tasks);
    const told = await this.#told(updates);
    const deliveries = told.length === 0
      ? page.deliveries
      : [...page.deliveries, ...told].sort((a, b) => a.seq - b.seq);
    return { block: new Block(deliveries), through, missedTo };
  }

  /** One page of several tasks' records in stream order: as far as every one of them was read. */
  async #readTasks(tasks: ReadonlySet<string>, after: number, upTo: number): Promise<Page> {
    const { records, bytes } = this.#bounds;
    let positions = this.#positionsOf(tasks, after);
    if (positions === undefined && this.#searches >= FEW) {
      await this.#projection.walked;
      positions = this.#positionsOf(tasks, after);
    }
    if (positions !== undefined) {
      return await this.#log.read({ after, upTo, limit: records, maxBytes: bytes, positions });
    }
    const limit = Math.max(50, Math.floor(records / tasks.size));
    const maxBytes = Math.floor(bytes / tasks.size);
    this.#searches += tasks.size;
    const bounds = { after, upTo, limit, maxBytes };
    // Whoever follows but a channel about a task has to hear when that goes out of sight.
    const abouts = new Set([...tasks].flatMap((id) => taskOf(id) ?? []));
    const pages = await Promise.all([
      ...[...tasks].map((id) => this.#projection.readTask(id, bounds)),
      ...[...abouts].flatMap((id) => tasks.has(id) ? [] : this.#projection.createdPage(id, bounds) ?? []),
    ]).finally(() => this.#searches -= tasks.size);
    const through = Math.min(...pages.map((page) => page.through));
    const entries = pages.flatMap((page) => page.entries.filter((entry) => entry.seq <= through));
    return { entries: entries.sort((a, b) => a.seq - b.seq), through };
  }

  /** Where all of these tasks' records after `after` lie; undefined where that is not known of every one. */
  #positionsOf(tasks: ReadonlySet<string>, after: number): number[] | undefined {
    const all: number[] = [];
    for (const id of tasks) {
      if (isChannel(id)) return undefined;
      const positions = this.#projection.whereabouts.of(id, after);
      if (positions === undefined) return undefined;
      for (const seq of positions) all.push(seq);
    }
    return all.sort((a, b) => a - b);
  }

  /** What values of channels have to tell; where they are about tasks, to who could see those when they came. */
  async #told(updates: readonly ChannelUpdate[]): Promise<readonly Delivery[]> {
    const froms = new Map<string, number>();
    for (const { topic, seq } of updates) {
      const taskId = taskOf(topic);
      if (taskId !== undefined && !froms.has(taskId)) froms.set(taskId, seq);
    }
    const whose: ReadonlyMap<string, Whose> = await this.#projection.whose(froms);
    return updates.map((update) => {
      const { topic, seq } = update;
      const about = whose.get(taskOf(topic) ?? "")?.at(seq);
      return channelDelivery(update, this.#projection.namespaces.conflationOf(topic), about);
    });
  }

  /** The present states of these tasks, from memory or the log. */
  async #knownNow(ids: readonly string[]): Promise<ReadonlyMap<string, TaskState>> {
    const known = new Map<string, TaskState>();
    const strangers = new Set<string>();
    for (const taskId of ids) {
      const state = this.#projection.tasks.get(taskId)?.state;
      if (state === undefined) strangers.add(taskId);
      else known.set(taskId, state);
    }
    if (strangers.size > FEW) await this.#projection.walked;
    await Promise.all([...strangers].map(async (taskId) => {
      const past = await this.#projection.stateFromLog(taskId);
      if (past !== undefined) known.set(taskId, past.state);
    }));
    return known;
  }

  /**
   * What is known of the tasks of a page as they were before it: by the pages before; else, of a task that was there
   * already, by the events that decided how it was, where it is known where they lie. Where that is not known, by those of
   * its events that are still the greatest of their kind, and only where these leave in doubt who is told, or what
   * status, by its whole history.
   */
  async #statesBefore(
    events: readonly TaskEvent[],
    known: ReadonlyMap<string, TaskState>,
    { after, forgotten, tasks }: {
      readonly after: number;
      readonly forgotten: boolean;
      readonly tasks: PastStates;
    },
  ): Promise<PastStates> {
    const { whereabouts } = this.#projection;
    const before = new Map<string, PastTask>();
    const doubtful = new Set<string>();
    const underWay = new Set<string>();
    for (const event of events) {
      const { taskId } = event;
      const now = known.get(taskId);
      const met = before.get(taskId) ?? tasks.get(taskId);
      const isBorn = (this.#projection.tasks.get(taskId)?.bornSeq ?? 0) > after;
      const state = met?.state ?? (now && upTo(now, after));
      if (doubtful.has(taskId)) continue;
      if (met?.whole === true) {
        before.set(taskId, met);
      } else if (after === 0 || isBorn) {
        before.set(taskId, { state: undefined, whole: true });
      } else if (
        now !== undefined &&
        (whereabouts.isComplete && met === undefined || isDoubtful(event, now, after) ||
          (!underWay.has(taskId) && isSilent(event, state)))
      ) {
        doubtful.add(taskId);
      } else {
        before.set(taskId, met ?? { state, whole: false });
      }
      if (LEVELS[event.kind] > 0) underWay.add(taskId);
    }
    if (doubtful.size > FEW) await this.#projection.walked;
    const logged = await this.#projection.statesAt(new Map([...doubtful].map((taskId) => [taskId, after])));
    for (const taskId of doubtful) {
      const now = known.get(taskId);
      if (now !== undefined) before.set(taskId, pastOf(now, logged.get(taskId)?.state, after, forgotten));
    }
    return before;
  }
}
