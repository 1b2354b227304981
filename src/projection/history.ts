import type { Entry, EventLog, Page } from "../log/event_log.ts";
import type { HistoryEvent } from "../protocol/server_frames.ts";
import { type Change, changeOf, fold, join, LEVELS, type TaskState } from "../task/fold.ts";
import { statusOf } from "../task/task.ts";
import { parseRecord, type TaskEvent } from "../task/worker_event.ts";
import { Block } from "./block.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import { type Held, Interest } from "./interest.ts";
import type { Projection } from "./projection.ts";
import { type PastTask, Scans } from "./scans.ts";
import type { TaskRecord } from "./task_table.ts";

type PastTasks = ReadonlyMap<string, PastTask>;

/** What of a block follows a position; `through` is the position up to which none is missing. */
export type ReplayPage = {
  readonly block: Block;
  readonly after: number;
  readonly through: number;
  /** Retention took what there was up to this position. Absent where it took nothing that was asked for. */
  readonly missedTo?: number;
  /** For whose topics all was passed over that is not for them. */
  readonly passedFor?: Held;
  /** Much was passed over: others come first before it goes on. */
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
};

const PAGE: PageBounds = { positions: 512, records: 1_000, bytes: 262_144 };
/** A page of events as they were written ends at this. */
const EVENTS_BYTES = 1_048_576;
const SHARED_PAGES = 256;
const SHARED_BYTES = 67_108_864;
/** So many blocks of the tail are passed over in one go. */
const PASSED_AT_ONCE = 32;
const EMPTY = new Block();
/** So many tasks are searched for at once rather than waiting until it is known where their events lie. */
const FEW = 8;

/** A page of the log as it was read, for readers of any cursor. */
type Shared = { readonly block: Block; readonly through: number; readonly missedTo: number };

/**
 * The past as deliveries, the same that live watchers got: from the tail while it reaches back far enough, else
 * from the log. What several connections need of the log is read and folded once.
 */
export class History {
  readonly #log: EventLog;
  readonly #projection: Projection;
  readonly #bounds: PageBounds;
  readonly #scans = new Scans();
  #searches = 0;
  /** Pages that were read, the oldest first, and what each weighs once it was. */
  readonly #shared = new Map<string, { readonly page: Promise<Shared>; bytes: number }>();

  constructor(log: EventLog, projection: Projection, bounds: PageBounds = PAGE) {
    this.#log = log;
    this.#projection = projection;
    this.#bounds = bounds;
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
    return { block: EMPTY, after, through: Math.min(Math.max(head, after), upTo), ...passedFor };
  }

  /** The page of the whole stream that has what follows `after`: from the last one that begins before it. */
  async #fromStream(after: number): Promise<Shared> {
    const { positions, bytes } = this.#bounds;
    const { epoch } = this.#projection;
    for (let start = after - after % positions;;) {
      const from = start;
      const end = from - from % positions + positions;
      const page = await this.#sharedPage(
        `${epoch} ${from}`,
        () =>
          this.#fromLog(epoch, from, async (head) => {
            const most = { upTo: Math.min(end, head), limit: positions, maxBytes: bytes };
            const read = await this.#log.read({ after: from, ...most });
            return { ...read, intactFrom: read.entries[0]?.seq ?? Infinity };
          }),
      );
      if (page.through > after || page.through <= from) return page;
      start = page.through;
    }
  }

  #fromTasks(tasks: ReadonlySet<string>, after: number): Promise<Shared> {
    const scope = `${this.#projection.epoch} ${[...tasks].sort().join(" ")}`;
    return this.#sharedPage(
      `${scope} ${after}`,
      () => this.#fromLog(scope, after, (head) => this.#readTasks(tasks, after, head)),
    );
  }

  #sharedPage(key: string, read: () => Promise<Shared>): Promise<Shared> {
    const known = this.#shared.get(key);
    if (known !== undefined) return known.page;
    const shared = { page: read(), bytes: 0 };
    this.#shared.set(key, shared);
    shared.page.then(({ block }) => {
      shared.bytes = block.bytes;
      this.#forgetShared();
    }, () => this.#shared.delete(key));
    return shared.page;
  }

  #forgetShared(): void {
    let bytes = 0;
    for (const shared of this.#shared.values()) bytes += shared.bytes;
    for (const [oldest, shared] of this.#shared) {
      if (this.#shared.size <= SHARED_PAGES && bytes <= SHARED_BYTES) break;
      this.#shared.delete(oldest);
      bytes -= shared.bytes;
    }
  }

  /** A page of a task's events as they were written; undefined when the log has none of that task. */
  async events(
    taskId: string,
    afterSeq: number,
    limit: number,
  ): Promise<{ readonly events: readonly HistoryEvent[]; readonly next_after_seq?: number } | undefined> {
    const head = this.#projection.head;
    const bounds = { limit, maxBytes: EVENTS_BYTES };
    const page = await this.#projection.readTask(taskId, { after: afterSeq, upTo: head, ...bounds });
    const events = page.entries.flatMap(historyEvent);
    if (page.entries.length === 0 && !(await this.#exists(taskId, afterSeq))) return undefined;
    return page.through < head ? { events, next_after_seq: page.through } : { events };
  }

  async #exists(taskId: string, afterSeq: number): Promise<boolean> {
    if (this.#projection.tasks.get(taskId) !== undefined) return true;
    return afterSeq > 0 && (await this.#projection.stateFromLog(taskId)) !== undefined;
  }

  /**
   * Reads and folds a page that begins after `after`; `scope` names the replay that it is a part of. From `intactFrom` on
   * retention took nothing of it.
   */
  async #fromLog(
    scope: string,
    after: number,
    read: (head: number) => Promise<Page & { readonly intactFrom?: number }>,
  ): Promise<Shared> {
    const { head } = this.#projection;
    const { entries, through, intactFrom = Infinity } = await read(head);
    // Looked at afterwards: what retention took before this page was read is missing from it.
    const { firstSeq } = await this.#log.extent();
    const missedTo = Math.max(after, Math.min(firstSeq, intactFrom, head + 1) - 1);
    const events = entries.flatMap((entry) => {
      const parsed = parseRecord(entry);
      return "event" in parsed ? [parsed.event] : [];
    });
    const tasks = this.#scans.take(scope, after);
    if (missedTo > after) tasks.clear();
    const known = await this.#knownNow(events);
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
    return { block: new Block(page.deliveries), through, missedTo };
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
    const pages = await Promise.all(
      [...tasks].map((id) => this.#projection.readTask(id, { after, upTo, limit, maxBytes })),
    ).finally(() => this.#searches -= tasks.size);
    const through = Math.min(...pages.map((page) => page.through));
    const entries = pages.flatMap((page) => page.entries.filter((entry) => entry.seq <= through));
    return { entries: entries.sort((a, b) => a.seq - b.seq), through };
  }

  /** Where all of these tasks' records after `after` lie; undefined where that is not known of every one. */
  #positionsOf(tasks: ReadonlySet<string>, after: number): number[] | undefined {
    const all: number[] = [];
    for (const id of tasks) {
      const positions = this.#projection.whereabouts.of(id, after);
      if (positions === undefined) return undefined;
      for (const seq of positions) all.push(seq);
    }
    return all.sort((a, b) => a - b);
  }

  /** The present states of the tasks among `events`, from memory or the log. */
  async #knownNow(events: readonly TaskEvent[]): Promise<ReadonlyMap<string, TaskState>> {
    const known = new Map<string, TaskState>();
    const strangers = new Set<string>();
    for (const { taskId } of events) {
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
      readonly tasks: PastTasks;
    },
  ): Promise<PastTasks> {
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

/** A task as it was at `at`, by what the log has of it up to there and by what is known of it now. */
function pastOf(now: TaskState, logged: TaskState | undefined, at: number, forgotten: boolean): PastTask {
  const past = upTo(now, at);
  const state = logged === undefined || past === undefined ? logged ?? past : join(logged, past);
  const guess = forgotten ? now.greatest.created : undefined;
  return { state, whole: !forgotten, ...(guess === undefined ? {} : { guess }) };
}

/** Whether progress would begin an attempt, by `state`: or the attempt has begun by what was said again since. */
function isSilent(event: TaskEvent, state: TaskState | undefined): boolean {
  if (event.kind !== "progress") return false;
  return state === undefined || state.top.attempt < event.attempt || LEVELS[state.top.kind] === 0;
}

/**
 * Whether what is still known of a task as it was at `at` may tell another one: its description was said again since,
 * or its progress was and told of an attempt that `event` does not reach.
 */
function isDoubtful(event: TaskEvent, now: TaskState, at: number): boolean {
  const { created, progress } = now.greatest;
  return (created !== undefined && created.seq > at) ||
    (progress !== undefined && progress.seq > at && event.attempt < progress.attempt);
}

const NOTHING: PastTask = { state: undefined, whole: false };

/**
 * What `events` had to tell when they were news. Of an event whose kind was said again since, the state before the
 * page knows nothing; so an event that came late because of it may be told as a change. None that was told is left
 * out.
 */
function replayed(
  events: readonly TaskEvent[],
  before: PastTasks,
  known: ReadonlyMap<string, TaskState>,
  recordOf: (taskId: string) => TaskRecord | undefined,
): { readonly deliveries: readonly Delivery[]; readonly tasks: PastTasks } {
  const tasks = new Map<string, PastTask>();
  const deliveries: Delivery[] = [];
  for (const event of events) {
    const past = tasks.get(event.taskId) ?? before.get(event.taskId) ?? NOTHING;
    const now = known.get(event.taskId);
    const after = fold(past.state, event);
    tasks.set(event.taskId, { ...past, state: after });
    const change = changeOf(past.state, after, event);
    const told = past.whole ? change : withUnseen(change, { event, before: past.state, after, now });
    const record = recordOf(event.taskId);
    const pace = now?.greatest[event.kind]?.seq === event.seq ? record?.pace : undefined;
    // What retention took may have decided the status. The last change of it is known all the same: it made the present one.
    const isLast = !past.whole && record?.statusSeq === event.seq &&
      statusOf(record.state) !== statusOf(after);
    const delivery = deliveryOf(event, isLast ? record.state : described(after, past.guess), told, pace);
    if (delivery !== undefined) deliveries.push(delivery);
  }
  return { deliveries, tasks };
}

/**
 * What an event may have changed beside `change` by what is not known any more: a request may have been the reason of a
 * cancellation since said again, and a new attempt begins without the counters of the one before.
 */
function withUnseen(
  change: Change,
  { event, before, after, now }: {
    readonly event: TaskEvent;
    readonly before: TaskState | undefined;
    readonly after: TaskState;
    readonly now: TaskState | undefined;
  },
): Change {
  if (before === after) return change;
  const renewed = event === after.top && event.attempt > Math.max(1, before?.top.attempt ?? 1);
  const reasoned = event.kind === "cancel_requested" && now?.greatest.cancelled !== undefined;
  return { progress: change.progress || renewed, status: change.status || reasoned };
}

/** `state` with the description that is guessed, where it has none. */
function described(state: TaskState, guess: TaskEvent<"created"> | undefined): TaskState {
  return guess === undefined || state.greatest.created !== undefined
    ? state
    : { ...state, greatest: { ...state.greatest, created: guess } };
}

/** What of `state` was known at position `seq`. */
function upTo(state: TaskState, seq: number): TaskState | undefined {
  let past: TaskState | undefined;
  for (const event of Object.values(state.greatest)) if (event.seq <= seq) past = fold(past, event);
  return past;
}

function historyEvent(entry: Entry): HistoryEvent[] {
  const parsed = parseRecord(entry);
  if ("rejected" in parsed) return [];
  const { kind } = parsed.event;
  const text = new TextDecoder().decode(entry.body);
  const body: unknown = text === "" ? {} : JSON.parse(text);
  return [{ seq: entry.seq, time: new Date(entry.time).toISOString(), kind, body }];
}
