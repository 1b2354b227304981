import type { Entry } from "../../src/log/event_log.ts";
import { type Delivery, deliveryOf } from "../../src/projection/delivery.ts";
import type { Facet } from "../../src/protocol/topics.ts";
import { changeOf, fold, type TaskState } from "../../src/task/fold.ts";
import type { Pace } from "../../src/task/pace.ts";
import { isTerminal, paced, statusOf } from "../../src/task/task.ts";
import { type Kind, parseRecord } from "../../src/task/worker_event.ts";

/** A task as the fold of its whole history. */
export type TrueTask = {
  readonly id: string;
  state: TaskState;
  pace: Pace | undefined;
  /** What there was to tell, in order. */
  readonly told: Delivery[];
  /** Every tag it ever carried. */
  readonly tags: Set<string>;
  /** Kinds that were said more than once. */
  readonly repeated: Set<Kind>;
  /** Whether an event was of a lower attempt than one before it: what the log still has may then tell another task. */
  straggled: boolean;
};

/** What the whole log says, told by a straightforward fold of every record in turn: the oracle. */
export class Truth {
  readonly tasks = new Map<string, TrueTask>();
  /** What each position had to tell. */
  readonly told = new Map<number, Delivery>();
  /** The kind of the event at each position. */
  readonly kinds = new Map<number, Kind>();

  /** Folds the next record in. */
  add(entry: Entry): void {
    const parsed = parseRecord(entry);
    if ("rejected" in parsed) return;
    const { event } = parsed;
    this.kinds.set(event.seq, event.kind);
    const known = this.tasks.get(event.taskId);
    const state = fold(known?.state, event);
    const change = changeOf(known?.state, state, event);
    const pace = paced(known?.pace, state, event);
    const task: TrueTask = known ??
      { id: event.taskId, state, pace, told: [], tags: new Set(), repeated: new Set(), straggled: false };
    const same = known?.state.greatest[event.kind];
    if (same !== undefined) task.repeated.add(event.kind);
    if (known !== undefined && known.state.top.attempt > event.attempt) task.straggled = true;
    if (state !== known?.state) task.pace = pace;
    task.state = state;
    if (event.kind === "created") { for (const tag of event.body.tags ?? []) task.tags.add(tag); }
    this.tasks.set(event.taskId, task);
    const delivery = deliveryOf(event, { before: known?.state, state }, change, pace);
    if (delivery === undefined) return;
    this.told.set(event.seq, delivery);
    task.told.push(delivery);
  }

  /** The newest of what was told of one half of a task up to `seq`. */
  newest(taskId: string, facet: Facet, seq = Infinity): Delivery | undefined {
    return this.tasks.get(taskId)?.told.findLast((one) => one.seq <= seq && one[facet] !== undefined);
  }

  /** Whether the task had ended at some position from `from` to `to`. */
  endedWithin(taskId: string, from: number, to: number): boolean {
    const told = this.tasks.get(taskId)?.told ?? [];
    const before = told.findLast((one) => one.seq <= from && one.status !== undefined);
    const since = told.filter((one) => one.seq > from && one.seq <= to && one.status !== undefined);
    return [...(before === undefined ? [] : [before]), ...since].some((one) => one.terminal);
  }

  /** Whether the task has ended now. */
  hasEnded(taskId: string): boolean {
    const state = this.tasks.get(taskId)?.state;
    return state !== undefined && isTerminal(statusOf(state));
  }
}
