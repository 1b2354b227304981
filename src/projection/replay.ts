import { type Change, changeOf, fold, join, LEVELS, type TaskState } from "../task/fold.ts";
import { statusOf } from "../task/task.ts";
import type { TaskEvent } from "../task/worker_event.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import type { PastTask } from "./scans.ts";
import type { TaskRecord } from "./task_table.ts";

/** Tasks as they were at some position, by id. */
export type PastStates = ReadonlyMap<string, PastTask>;

const NOTHING: PastTask = { state: undefined, whole: false };

/**
 * What `events` had to tell when they were news. Of an event whose kind was said again since, the state before the
 * page knows nothing; so an event that came late because of it may be told as a change. None that was told is left
 * out.
 */
export function replayed(
  events: readonly TaskEvent[],
  before: PastStates,
  known: ReadonlyMap<string, TaskState>,
  recordOf: (taskId: string) => TaskRecord | undefined,
): { readonly deliveries: readonly Delivery[]; readonly tasks: PastStates } {
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
    const state = isLast ? record.state : described(after, past.guess);
    const isGuess = !isLast && state !== after;
    const delivery = deliveryOf(event, { before: past.state, state, isGuess }, told, pace);
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

/** A task as it was at `at`, by what the log has of it up to there and by what is known of it now. */
export function pastOf(
  now: TaskState,
  logged: TaskState | undefined,
  at: number,
  forgotten: boolean,
): PastTask {
  const past = upTo(now, at);
  const state = logged === undefined || past === undefined ? logged ?? past : join(logged, past);
  const guess = forgotten ? now.greatest.created : undefined;
  return { state, whole: !forgotten, ...(guess === undefined ? {} : { guess }) };
}

/** Whether progress would begin an attempt, by `state`: or the attempt has begun by what was said again since. */
export function isSilent(event: TaskEvent, state: TaskState | undefined): boolean {
  if (event.kind !== "progress") return false;
  return state === undefined || state.top.attempt < event.attempt || LEVELS[state.top.kind] === 0;
}

/**
 * Whether what is still known of a task as it was at `at` may tell another one: its description was said again since,
 * or its progress was and told of an attempt that `event` does not reach; or whether anything had been heard of it by then.
 */
export function isDoubtful(event: TaskEvent, now: TaskState, at: number): boolean {
  const { created, progress, stale } = now.greatest;
  return stale !== undefined || (created !== undefined && created.seq > at) ||
    (progress !== undefined && progress.seq > at && event.attempt < progress.attempt);
}

/** What of `state` was known at position `seq`. */
export function upTo(state: TaskState, seq: number): TaskState | undefined {
  let past: TaskState | undefined;
  for (const event of Object.values(state.greatest)) if (event.seq <= seq) past = fold(past, event);
  return past;
}
