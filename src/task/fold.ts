import type { TaskId } from "../protocol/names.ts";
import type { Kind, TaskEvent } from "./worker_event.ts";

/** How strongly each kind asks for its status. Within an attempt the higher level wins, then the later position. */
export const LEVELS: Readonly<Record<Kind, number>> = {
  created: 0,
  stale: 1,
  progress: 2,
  started: 3,
  paused: 3,
  resumed: 3,
  retrying: 3,
  cancel_requested: 4,
  failed: 5,
  cancelled: 6,
  completed: 7,
};

/** The events of a task that say anything: of each kind the greatest by (attempt, position). */
export type Greatest = { readonly [K in Kind]?: TaskEvent<K> };

/**
 * A task as the join of its events. Everything a task is follows from `greatest`; `top` is the greatest of those
 * by (attempt, level, position) and asks for the status; it is kept only so that it need not be searched for.
 */
export type TaskState = {
  readonly id: TaskId;
  readonly greatest: Greatest;
  readonly top: TaskEvent;
};

/**
 * The task after one more event. Pure, commutative and idempotent: any order and any duplicates of the same events
 * give the same state, and the last event of each kind gives the same state as all of them — but for a straggler of
 * an older attempt, which in a compacted history hides what the newer attempt said with that kind.
 * Returns `state` itself when the event says nothing new.
 */
export function fold(state: TaskState | undefined, event: TaskEvent): TaskState {
  if (state === undefined) {
    return { id: event.taskId, greatest: { [event.kind]: event }, top: event };
  }
  const known = state.greatest[event.kind];
  if (known !== undefined && !exceeds(event, known)) return state;
  return {
    id: state.id,
    greatest: { ...state.greatest, [event.kind]: event },
    top: topped(event, state.top) ? event : state.top,
  };
}

/** The task that both states' events make together. */
export function join(one: TaskState, other: TaskState): TaskState {
  let joined = one;
  for (const event of Object.values(other.greatest)) joined = fold(joined, event);
  return joined;
}

/** Whether `event` is greater than `known`, an event of the same kind. */
function exceeds(event: TaskEvent, known: TaskEvent): boolean {
  return event.attempt !== known.attempt ? event.attempt > known.attempt : event.seq > known.seq;
}

/** Whether `event` is at least as great as `top` by (attempt, level, position). */
function topped(event: TaskEvent, top: TaskEvent): boolean {
  if (event.attempt !== top.attempt) return event.attempt > top.attempt;
  const level = LEVELS[event.kind];
  const topLevel = LEVELS[top.kind];
  return level !== topLevel ? level > topLevel : event.seq >= top.seq;
}

/** What one event changed, so what there is to tell. Nothing at all: the event came late. */
export type Change = {
  /** The counters are others: a `task_progress` frame. */
  readonly progress: boolean;
  /** The status, its reason or what describes the task is another: a `task_status` frame. */
  readonly status: boolean;
};

/** What `event` changed between the states before and after it was folded. */
export function changeOf(before: TaskState | undefined, after: TaskState, event: TaskEvent): Change {
  if (before === after) return { progress: false, status: false };
  if (event.kind === "created") {
    const status = before === undefined || descriptionOf(before) !== descriptionOf(after);
    const progress = before !== undefined && countersEvent(after) !== undefined &&
      totalOf(before) !== totalOf(after);
    return { progress, status };
  }
  const counted = countersEvent(after);
  const progress = counted !== (before && countersEvent(before)) ||
    (counted !== undefined && before !== undefined && totalOf(before) !== totalOf(after));
  return {
    progress,
    status: (event === after.top ? asksAnew(before, event) : toldBelow(before, after, event)) ||
      (before !== undefined && isStale(before) !== isStale(after)),
  };
}

/** Whether the new top asks for another status or in another way: only progress after progress does not. */
function asksAnew(before: TaskState | undefined, top: TaskEvent): boolean {
  return top.kind !== "progress" || before === undefined || before.top.attempt !== top.attempt ||
    before.top.kind === "created";
}

/** Whether an event below the top is told all the same: when the task started, or why it was cancelled. */
function toldBelow(before: TaskState | undefined, after: TaskState, event: TaskEvent): boolean {
  return event.kind === "started" ||
    (event.kind === "cancel_requested" && (before === undefined || reasonOf(before) !== reasonOf(after)));
}

function descriptionOf(state: TaskState): string {
  const created = state.greatest.created;
  const body = created?.body;
  return JSON.stringify([
    body?.name,
    body?.type,
    body?.tags,
    body?.parent_id,
    body?.total,
    body?.at ?? created?.time,
  ]);
}

/** Why the task is being or was cancelled, or null: the canceller's word, else the asker's; or why it failed. */
export function reasonOf(state: TaskState): string | null {
  const { top, greatest } = state;
  if (top.kind === "cancel_requested" || top.kind === "failed") return top.body.reason ?? null;
  if (top.kind !== "cancelled") return null;
  const asked = greatest.cancel_requested;
  return top.body.reason ?? (asked?.attempt === top.attempt ? asked.body.reason : undefined) ?? null;
}

/** The event whose counters are the current ones: the last of the current attempt that carries any. */
export function countersEvent(
  state: TaskState,
): TaskEvent<"progress" | "completed" | "failed" | "cancelled"> | undefined {
  const { progress, completed, failed, cancelled } = state.greatest;
  let last: ReturnType<typeof countersEvent>;
  for (const event of [progress, completed, failed, cancelled]) {
    if (event === undefined || event.attempt !== state.top.attempt) continue;
    if (event.kind !== "progress" && event.body.progress === undefined) continue;
    if (last === undefined || event.seq > last.seq) last = event;
  }
  return last;
}

/**
 * How many items the task has: by its counters, else by the attempt's last progress where the counters are those of a
 * later end that did not repeat it, else by its `created`; null when nobody said.
 */
export function totalOf(state: TaskState): number | null {
  const event = countersEvent(state);
  const counters = event?.kind === "progress" ? event.body : event?.body.progress;
  const { progress, created } = state.greatest;
  const before = progress?.attempt === state.top.attempt ? progress.body.total : undefined;
  return counters?.total ?? before ?? created?.body.total ?? null;
}

/** What a worker says while it works; an end says all by itself. */
const HEARD = ["started", "progress", "paused", "resumed", "retrying"] as const;
/** The last of them while a worker is at work, or ought to be: what has come since a cancel was asked for counts too. */
const AT_WORK: ReadonlySet<Kind> = new Set<Kind>([
  "stale",
  "progress",
  "started",
  "resumed",
  "cancel_requested",
]);

/** Whether an event is of those by which a worker is heard while it works. */
function isHeard({ kind }: TaskEvent): boolean {
  return HEARD.some((heard) => heard === kind);
}

/**
 * How long a worker said nothing between its events of one attempt, by the log, ms each: `events` are a task's, ascending.
 * What stood still on purpose was not silent.
 */
export function gapsOf(events: readonly TaskEvent[], attempt: number): number[] {
  const heard = events.filter((event) => event.attempt === attempt && isHeard(event));
  return heard.flatMap(({ time }, i) => {
    const before = heard[i - 1];
    return before === undefined || !AT_WORK.has(before.kind) ? [] : [time - before.time];
  });
}

/** Whether a worker ought to be heard of: the task is running, or is to be cancelled. */
export function isAtWork({ top }: TaskState): boolean {
  return AT_WORK.has(top.kind);
}

/** The newest event of the present attempt that its worker wrote; undefined where there is none yet, or any more. */
export function heardOf({ greatest, top }: TaskState): TaskEvent | undefined {
  let heard: TaskEvent | undefined;
  for (const kind of HEARD) {
    const event = greatest[kind];
    if (event?.attempt === top.attempt && event.seq > (heard?.seq ?? 0)) heard = event;
  }
  return heard;
}

/**
 * Whether it was said that nothing is heard of the worker, and nothing was since: nor before, after the position up to
 * which whoever said it had read.
 */
export function isStale(state: TaskState): boolean {
  const { stale } = state.greatest;
  if (stale === undefined || stale.attempt !== state.top.attempt || !isAtWork(state)) return false;
  const { seq, body: { through = seq } } = stale;
  return (heardOf(state)?.seq ?? 0) <= Math.min(seq, through);
}
