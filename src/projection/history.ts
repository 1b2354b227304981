import type { Entry, EventLog } from "../log/event_log.ts";
import type { HistoryEvent } from "../protocol/server_frames.ts";
import { type Change, changeOf, fold, join, LEVELS, type TaskState } from "../task/fold.ts";
import type { Pace } from "../task/pace.ts";
import { parseRecord, type TaskEvent } from "../task/worker_event.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import type { Projection } from "./projection.ts";

/** Deliveries after a position, in order; `through` is the position up to which none is missing. */
export type ReplayPage = {
  readonly deliveries: readonly Delivery[];
  readonly through: number;
  /** Retention took what there was up to this position. Absent where it took nothing that was asked for. */
  readonly missedTo?: number;
  /** For whoever asks for the next page; absent where that needs nothing. */
  readonly carry?: Carry;
};

/** A task as it was at some position, as far as that can be told. */
type PastTask = {
  readonly state: TaskState | undefined;
  /** Whether that is all there was to know. */
  readonly whole: boolean;
  /** What may have described it, where nothing tells. */
  readonly guess?: TaskEvent<"created">;
};

/** What a replay knows of its tasks between its pages: those it has met, as of a page's end. */
export type Carry = ReadonlyMap<string, PastTask>;

/** A page to read: what follows `after`, up to `upTo`; of these tasks only where given. */
export type ReplayQuery = {
  readonly after: number;
  readonly upTo: number;
  readonly tasks?: ReadonlySet<string>;
  readonly carry?: Carry;
};

const PAGE_DELIVERIES = 500;
const PAGE_RECORDS = 1_000;
/** A page ends when its bodies, or what its frames are taken to weigh, reach this: what one slow reader may cost. */
const PAGE_BYTES = 262_144;
/** A page of events as they were written ends at this. */
const EVENTS_BYTES = 1_048_576;
const SHARED_PAGES = 64;
const SHARED_BYTES = 33_554_432;

/**
 * The past as deliveries, the same that live watchers got: from the tail while it reaches back far enough, else
 * from the log. Pages of the whole stream that several connections need at once are read and folded once.
 */
export class History {
  readonly #log: EventLog;
  readonly #projection: Projection;
  /** Pages of the whole stream, the oldest first, and what each weighs once it was read. */
  readonly #shared = new Map<string, { readonly page: Promise<ReplayPage>; bytes: number }>();

  constructor(log: EventLog, projection: Projection) {
    this.#log = log;
    this.#projection = projection;
  }

  /** The next page. Answers at once where the tail has it; rejects with a LogError when the log is out of reach. */
  page(query: ReplayQuery): ReplayPage | Promise<ReplayPage> {
    const { after, upTo, tasks } = query;
    const { tail, epoch } = this.#projection;
    if (after >= tail.floor) return this.#fromTail(query);
    if (tasks !== undefined) return this.#fromLog(query, upTo);
    return this.#sharedPage(`${epoch}:${after}`, query).then((page) => endingAt(page, upTo));
  }

  #sharedPage(key: string, query: ReplayQuery): Promise<ReplayPage> {
    const known = this.#shared.get(key);
    if (known !== undefined) return known.page;
    const shared = { page: this.#fromLog(query, this.#projection.head), bytes: 0 };
    this.#shared.set(key, shared);
    shared.page.then(({ deliveries }) => {
      for (const { bytes } of deliveries) shared.bytes += bytes;
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

  #fromTail({ after, upTo, tasks }: ReplayQuery): ReplayPage {
    const { tail, head } = this.#projection;
    const { items: all, more } = tail.after(after, { deliveries: PAGE_DELIVERIES, bytes: PAGE_BYTES });
    const through = more ? all.at(-1)?.seq ?? after : Math.max(head, after);
    const deliveries = tasks === undefined ? all : all.filter(({ taskId }) => tasks.has(taskId));
    return endingAt({ deliveries, through }, upTo);
  }

  async #fromLog(query: ReplayQuery, head: number): Promise<ReplayPage> {
    const { after, tasks } = query;
    const { entries, through } = tasks === undefined
      ? await this.#log.read({ after, upTo: head, limit: PAGE_RECORDS, maxBytes: PAGE_BYTES })
      : await this.#readTasks(tasks, after, head);
    // Looked at afterwards: what retention took before this page was read is missing from it. Where the first record
    // is the very next one, nothing was taken before it.
    const { firstSeq } = await this.#log.extent();
    const intact = tasks === undefined && entries[0] !== undefined ? entries[0].seq : Infinity;
    const missedTo = Math.min(firstSeq, intact, head + 1) - 1;
    const events = entries.flatMap((entry) => {
      const parsed = parseRecord(entry);
      return "event" in parsed ? [parsed.event] : [];
    });
    const known = await this.#knownNow(events);
    const carried = missedTo > after ? undefined : query.carry;
    const begin = { after: Math.max(after, missedTo), forgotten: firstSeq > 1, carry: carried };
    const before = await this.#statesBefore(events, known, begin);
    const page = replayed(events, before, known, (id) => this.#projection.tasks.get(id)?.pace);
    // Of the whole stream only what the last page met is carried on, so that no reader makes it grow.
    const carry = tasks === undefined ? page.tasks : new Map([...carried ?? [], ...page.tasks]);
    return { deliveries: page.deliveries, through, carry, ...(missedTo > after ? { missedTo } : {}) };
  }

  /** One page of several tasks' records in stream order: as far as every one of them was read. */
  async #readTasks(
    tasks: ReadonlySet<string>,
    after: number,
    upTo: number,
  ): Promise<{ entries: readonly Entry[]; through: number }> {
    const limit = Math.max(50, Math.floor(PAGE_RECORDS / tasks.size));
    const maxBytes = Math.floor(PAGE_BYTES / tasks.size);
    const pages = [];
    for (const id of tasks) {
      pages.push(await this.#projection.readTask(id, { after, upTo, limit, maxBytes }));
    }
    const through = Math.min(...pages.map((page) => page.through));
    const entries = pages.flatMap((page) => page.entries.filter((entry) => entry.seq <= through));
    return { entries: entries.sort((a, b) => a.seq - b.seq), through };
  }

  /** The present states of the tasks among `events`, from memory or the log. */
  async #knownNow(events: readonly TaskEvent[]): Promise<ReadonlyMap<string, TaskState>> {
    const known = new Map<string, TaskState>();
    for (const { taskId } of events) {
      if (known.has(taskId)) continue;
      const state = this.#projection.tasks.get(taskId)?.state ??
        (await this.#projection.stateFromLog(taskId))?.state;
      if (state !== undefined) known.set(taskId, state);
    }
    return known;
  }

  /**
   * What is known of the tasks of a page as they were before it: by the page before; else, of a task that was there
   * already, by those of its events that are still the greatest of their kind. Where that leaves in doubt who is told,
   * or what status, its whole history is read.
   */
  async #statesBefore(
    events: readonly TaskEvent[],
    known: ReadonlyMap<string, TaskState>,
    { after, forgotten, carry }: {
      readonly after: number;
      readonly forgotten: boolean;
      readonly carry: Carry | undefined;
    },
  ): Promise<Carry> {
    const before = new Map<string, PastTask>();
    const doubtful = new Set<string>();
    const underWay = new Set<string>();
    for (const event of events) {
      const { taskId } = event;
      const now = known.get(taskId);
      const met = before.get(taskId) ?? carry?.get(taskId);
      const isBorn = (this.#projection.tasks.get(taskId)?.bornSeq ?? 0) > after;
      const state = met?.state ?? (now && upTo(now, after));
      if (doubtful.has(taskId)) continue;
      if (met?.whole === true) {
        before.set(taskId, met);
      } else if (after === 0 || isBorn) {
        before.set(taskId, { state: undefined, whole: true });
      } else if (
        now !== undefined &&
        (isDoubtful(event, now, after) || (!underWay.has(taskId) && isSilent(event, state)))
      ) {
        doubtful.add(taskId);
      } else {
        before.set(taskId, met ?? { state, whole: false });
      }
      if (LEVELS[event.kind] > 0) underWay.add(taskId);
    }
    await Promise.all([...doubtful].map(async (taskId) => {
      const now = known.get(taskId);
      if (now !== undefined) before.set(taskId, await this.#read(now, after, forgotten));
    }));
    return before;
  }

  /** A task as it was at `at`, by its whole history and by what is known of it now. */
  async #read(now: TaskState, at: number, forgotten: boolean): Promise<PastTask> {
    const logged = (await this.#projection.stateAt(now.id, at))?.state;
    const past = upTo(now, at);
    const state = logged === undefined || past === undefined ? logged ?? past : join(logged, past);
    const guess = forgotten ? now.greatest.created : undefined;
    return { state, whole: !forgotten, ...(guess === undefined ? {} : { guess }) };
  }
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

/** A page without what lies after `upTo`. */
function endingAt(page: ReplayPage, upTo: number): ReplayPage {
  if (page.through <= upTo) return page;
  const { deliveries, missedTo } = page;
  return {
    deliveries: deliveries.filter(({ seq }) => seq <= upTo),
    through: upTo,
    ...(missedTo === undefined ? {} : { missedTo: Math.min(missedTo, upTo) }),
  };
}

const NOTHING: PastTask = { state: undefined, whole: false };

/**
 * What `events` had to tell when they were news. Of an event whose kind was said again since, the state before the
 * page knows nothing; so an event that came late because of it may be told as a change. None that was told is left
 * out.
 */
function replayed(
  events: readonly TaskEvent[],
  before: Carry,
  known: ReadonlyMap<string, TaskState>,
  paceOf: (taskId: string) => Pace | undefined,
): { readonly deliveries: readonly Delivery[]; readonly tasks: Carry } {
  const tasks = new Map<string, PastTask>();
  const deliveries: Delivery[] = [];
  for (const event of events) {
    const past = tasks.get(event.taskId) ?? before.get(event.taskId) ?? NOTHING;
    const now = known.get(event.taskId);
    const after = fold(past.state, event);
    tasks.set(event.taskId, { ...past, state: after });
    const change = changeOf(past.state, after, event);
    const told = past.whole ? change : withUnseen(change, { event, before: past.state, after, now });
    const pace = now?.greatest[event.kind]?.seq === event.seq ? paceOf(event.taskId) : undefined;
    const delivery = deliveryOf(event, described(after, past.guess), told, pace);
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
