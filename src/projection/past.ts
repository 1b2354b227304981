import { type Change, changeOf, fold, type TaskState } from "../task/fold.ts";
import type { TaskEvent } from "../task/worker_event.ts";

/** Positions and times of the events that last changed a task's status and its counters; 0 when none did. */
export type Marks = {
  /** The position of the task's first event, where that is known; else 0. */
  bornSeq: number;
  statusSeq: number;
  statusTimeMs: number;
  progressSeq: number;
  progressTimeMs: number;
};

/** The marks of a task of which nothing is known yet. */
export const NO_MARKS: Marks = {
  bornSeq: 0,
  statusSeq: 0,
  statusTimeMs: 0,
  progressSeq: 0,
  progressTimeMs: 0,
};

/** A task that was read from the log. */
export type Past = Marks & { readonly state: TaskState };

/** A task after one more event, in order of position. */
export function pastAfter(past: Past | undefined, event: TaskEvent): Past {
  const before = past?.state;
  const state = fold(before, event);
  const next = { ...(past ?? { ...NO_MARKS, bornSeq: event.seq }), state };
  mark(next, event, changeOf(before, state, event));
  return next;
}

/** Notes where a task last had something to tell. */
export function mark(marks: Marks, event: TaskEvent, change: Change): void {
  if (change.progress) {
    marks.progressSeq = event.seq;
    marks.progressTimeMs = event.time;
  }
  if (change.status) {
    marks.statusSeq = event.seq;
    marks.statusTimeMs = event.time;
  }
}

/** Whether an event is of an attempt that was over: it hides what a later one said with its kind. */
export function isStraggler({ kind, attempt }: TaskEvent, { top }: TaskState): boolean {
  return kind !== "created" && attempt < top.attempt;
}
