import type { TaskStatus } from "../protocol/client_frames.ts";
import type { ProgressData, TaskStatusData } from "../protocol/server_frames.ts";
import { countersEvent, isAtWork, isStale, reasonOf, type TaskState, totalOf } from "./fold.ts";
import { etaMs, observe, type Pace, rateOf, rested, roused } from "./pace.ts";
import type { Kind, TaskEvent } from "./worker_event.ts";

/** The status that each kind asks for. */
export const ASKED: Readonly<Record<Kind, TaskStatus>> = {
  created: "pending",
  stale: "running",
  started: "running",
  progress: "running",
  paused: "paused",
  resumed: "running",
  cancel_requested: "cancelling",
  retrying: "retrying",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled",
};

const TERMINAL: ReadonlySet<TaskStatus> = new Set<TaskStatus>(["completed", "failed", "cancelled"]);

/** A task's status. */
export function statusOf(state: TaskState): TaskStatus {
  return ASKED[state.top.kind];
}

/** Whether a task with this status has ended; only a higher attempt reopens it. */
export function isTerminal(status: TaskStatus): boolean {
  return TERMINAL.has(status);
}

/** The pace after `event` was folded into `state`. */
export function paced(pace: Pace | undefined, state: TaskState, event: TaskEvent): Pace | undefined {
  if (event.attempt !== state.top.attempt || state.greatest[event.kind] !== event) return pace;
  if (event.kind === "paused" || event.kind === "retrying") return pace && rested(pace, event.time);
  if (event.kind === "resumed" || event.kind === "started") return pace && roused(pace, event.time);
  if (countersEvent(state) !== event) return pace;
  const unit = totalOf(state) !== null ? "items" : "percent";
  const counters = event.kind === "progress" ? event.body : event.body.progress;
  const done = unit === "items"
    ? (counters?.completed ?? 0) + (counters?.failed ?? 0)
    : percentageOf(null, 0, counters?.percentage ?? null);
  if (done === null) return pace;
  const seen = observe(pace, { attempt: event.attempt, unit, timeMs: event.time, done });
  const status = statusOf(state);
  return status === "paused" || status === "retrying" ? rested(seen, event.time) : seen;
}

/** The counters of a task as frames carry them. */
export function progressData(state: TaskState, pace: Pace | undefined): ProgressData {
  const event = countersEvent(state);
  const counters = event?.kind === "progress" ? event.body : event?.body.progress;
  const total = totalOf(state);
  const completed = counters?.completed ?? 0;
  const failed = counters?.failed ?? 0;
  const isMoving = !isTerminal(statusOf(state)) && !isStale(state);
  const live = pace?.attempt === state.top.attempt && isMoving ? pace : undefined;
  const rate = live?.unit === "items" ? rateOf(live) : null;
  return {
    total,
    completed,
    failed,
    current: counters?.current ?? null,
    percentage: percentageOf(total, completed + failed, counters?.percentage ?? null),
    status: counters?.status ?? null,
    attempt: state.top.attempt,
    rate: rate === null ? null : Number(rate.toPrecision(4)),
    eta_ms: etaMs(live, live?.unit === "percent" ? 100 : total),
  };
}

/** The share processed, 0–100 with two decimals at most; what the worker said wins; null while the total is unknown or 0. */
export function percentageOf(total: number | null, processed: number, said: number | null): number | null {
  const share = said ?? (total === null || total === 0 ? null : processed / total * 100);
  return share === null ? null : Math.round(Math.min(100, Math.max(0, share)) * 100) / 100;
}

/** The whole of a task as frames carry it. */
export function statusData(state: TaskState, pace: Pace | undefined): TaskStatusData {
  const { created, started } = state.greatest;
  const top = state.top;
  const status = statusOf(state);
  const about = created?.body;
  return {
    task_id: state.id,
    status,
    start_time: started === undefined ? null : timeOf(started),
    end_time: isTerminal(status) ? timeOf(top) : null,
    attempt: top.attempt,
    name: about?.name ?? null,
    type: about?.type ?? null,
    tags: about?.tags ?? [],
    parent_id: about?.parent_id ?? null,
    reason: reasonOf(state),
    error: top.kind === "failed" || top.kind === "retrying" ? top.body.error ?? null : null,
    result: top.kind === "completed" ? top.body.result ?? null : null,
    progress: progressData(state, pace),
    created_time: created === undefined ? null : timeOf(created),
    liveness: isAtWork(state) ? isStale(state) ? "stale" : "live" : null,
  };
}

/** When an event happened: by the worker if it said, else when the log took it. RFC 3339 UTC. */
function timeOf(event: TaskEvent): string {
  return new Date(event.body.at ?? event.time).toISOString();
}
