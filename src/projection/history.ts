import type { Entry, EventLog } from "../log/event_log.ts";
import type { HistoryEvent } from "../protocol/server_frames.ts";
import { changeOf, fold, type TaskState } from "../task/fold.ts";
import { parseRecord, type TaskEvent } from "../task/worker_event.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import type { Projection } from "./projection.ts";

/** Deliveries after a position, in order; `through` is the position up to which none is missing. */
export type ReplayPage =
  | { readonly kind: "page"; readonly deliveries: readonly Delivery[]; readonly through: number }
  /** Retention took what comes next: positions before `firstSeq` are no more. */
  | { readonly kind: "gone"; readonly firstSeq: number };

/** What a replay remembers between its pages: the state of the tasks it is limited to. */
export type Carry = Map<string, TaskState>;

/** A page to read: what follows `after`, of these tasks only where given. */
export type ReplayQuery = {
  readonly after: number;
  readonly tasks?: ReadonlySet<string>;
  readonly carry?: Carry;
};

const PAGE_DELIVERIES = 500;
const PAGE_RECORDS = 1_000;
const SHARED_PAGES = 64;

/**
 * The past as deliveries, the same that live watchers got: from the tail while it reaches back far enough, else
 * from the log. Pages of the whole stream that several connections need at once are read and folded once.
 */
export class History {
  readonly #log: EventLog;
  readonly #projection: Projection;
  readonly #shared = new Map<string, Promise<ReplayPage>>();

  constructor(log: EventLog, projection: Projection) {
    this.#log = log;
    this.#projection = projection;
  }

  /** The next page. Answers at once where the tail has it; rejects with a LogError when the log is out of reach. */
  page(query: ReplayQuery): ReplayPage | Promise<ReplayPage> {
    const { tail, head, epoch } = this.#projection;
    if (query.after >= tail.floor) return fromTail(tail.after(query.after, PAGE_DELIVERIES), query, head);
    if (query.tasks !== undefined) return this.#fromLog(query);
    const key = `${epoch}:${query.after}`;
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const page = this.#fromLog(query);
    this.#shared.set(key, page);
    page.catch(() => this.#shared.delete(key));
    for (const oldest of this.#shared.keys()) {
      if (this.#shared.size <= SHARED_PAGES) break;
      this.#shared.delete(oldest);
    }
    return page;
  }

  /** A page of a task's events as they were written; undefined when the log has none of that task. */
  async events(
    taskId: string,
    afterSeq: number,
    limit: number,
  ): Promise<{ readonly events: readonly HistoryEvent[]; readonly next_after_seq?: number } | undefined> {
    const head = this.#projection.head;
    const subject = `task.${taskId}.>`;
    const page = await this.#log.read({ after: afterSeq, upTo: head, subject, limit });
    const events = page.entries.flatMap(historyEvent);
    if (page.entries.length === 0 && !(await this.#exists(taskId, afterSeq))) return undefined;
    return page.entries.length === limit ? { events, next_after_seq: page.through } : { events };
  }

  async #exists(taskId: string, afterSeq: number): Promise<boolean> {
    if (this.#projection.tasks.get(taskId) !== undefined) return true;
    return afterSeq > 0 && (await this.#projection.stateFromLog(taskId)) !== undefined;
  }

  async #fromLog(query: ReplayQuery): Promise<ReplayPage> {
    const head = this.#projection.head;
    if (query.after >= head) return { kind: "page", deliveries: [], through: query.after };
    const extent = await this.#log.extent();
    if (query.after + 1 < extent.firstSeq && query.tasks === undefined) {
      return { kind: "gone", firstSeq: extent.firstSeq };
    }
    const { entries, through } = query.tasks === undefined
      ? await this.#log.read({ after: query.after, upTo: head, limit: PAGE_RECORDS })
      : await this.#readTasks(query.tasks, query.after, head);
    const events = entries.flatMap((entry) => {
      const parsed = parseRecord(entry);
      return "event" in parsed ? [parsed.event] : [];
    });
    const known = await this.#knownNow(events);
    const deliveries = replayed(events, query, known, (id) => this.#projection.tasks.get(id)?.pace);
    return { kind: "page", deliveries, through };
  }

  /** One page of several tasks' records in stream order: as far as every one of them was read. */
  async #readTasks(
    tasks: ReadonlySet<string>,
    after: number,
    upTo: number,
  ): Promise<{ entries: readonly Entry[]; through: number }> {
    const limit = Math.max(50, Math.floor(PAGE_RECORDS / tasks.size));
    const pages = [];
    for (const id of tasks) {
      pages.push(await this.#log.read({ after, upTo, subject: `task.${id}.>`, limit }));
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
      const state = this.#projection.tasks.get(taskId)?.state ?? await this.#projection.stateFromLog(taskId);
      if (state !== undefined) known.set(taskId, state);
    }
    return known;
  }
}

function fromTail(deliveries: readonly Delivery[], query: ReplayQuery, head: number): ReplayPage {
  const last = deliveries.at(-1);
  const through = deliveries.length < PAGE_DELIVERIES || last === undefined
    ? Math.max(head, query.after)
    : last.seq;
  const { tasks } = query;
  return {
    kind: "page",
    deliveries: tasks === undefined
      ? deliveries
      : deliveries.filter((delivery) => tasks.has(delivery.taskId)),
    through,
  };
}

/**
 * What `events` had to tell when they were news. The state before the page is what is known of it: the events that
 * are still the greatest of their kind and lie before the page. An event that came late for a reason since
 * overwritten (a kind said twice) may so be told as a change; none that was told is left out.
 */
function replayed(
  events: readonly TaskEvent[],
  query: ReplayQuery,
  known: ReadonlyMap<string, TaskState>,
  paceOf: (taskId: string) => Parameters<typeof deliveryOf>[3],
): Delivery[] {
  const states: Carry = query.carry ?? new Map();
  const deliveries: Delivery[] = [];
  for (const event of events) {
    const now = known.get(event.taskId);
    const before = states.get(event.taskId) ?? (now && upTo(now, query.after));
    const after = fold(before, event);
    states.set(event.taskId, after);
    const pace = now?.greatest[event.kind] === event || now?.greatest[event.kind]?.seq === event.seq
      ? paceOf(event.taskId)
      : undefined;
    const delivery = deliveryOf(event, described(after, now), changeOf(before, after, event), pace);
    if (delivery !== undefined) deliveries.push(delivery);
  }
  return deliveries;
}

/** What of `state` was known at position `seq`. */
function upTo(state: TaskState, seq: number): TaskState | undefined {
  let past: TaskState | undefined;
  for (const event of Object.values(state.greatest)) if (event.seq <= seq) past = fold(past, event);
  return past;
}

/** `state` with the description that is known now, where the one of its time has been overwritten. */
function described(state: TaskState, now: TaskState | undefined): TaskState {
  const created = now?.greatest.created;
  return state.greatest.created !== undefined || created === undefined
    ? state
    : { ...state, greatest: { ...state.greatest, created } };
}

function historyEvent(entry: Entry): HistoryEvent[] {
  const parsed = parseRecord(entry);
  if ("rejected" in parsed) return [];
  const { kind } = parsed.event;
  const text = new TextDecoder().decode(entry.body);
  const body: unknown = text === "" ? {} : JSON.parse(text);
  return [{ seq: entry.seq, time: new Date(entry.time).toISOString(), kind, body }];
}
