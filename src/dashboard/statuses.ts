import type { TaskStatus } from "../protocol/client_frames.ts";

/** How a status is drawn, on a field of 16 by 16: no two of them have the same shape, whatever their colour. */
export const STATUS_SHAPES: Readonly<Record<TaskStatus, string>> = {
  running: "M5 3l8 5-8 5z",
  pending: "M8 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9z",
  paused: "M4.5 3.5h2v9h-2zM9.5 3.5h2v9h-2z",
  retrying: "M12.5 8A4.5 4.5 0 1 1 10.8 4.5M10.5 1.5l.6 3.3-3.3.4",
  cancelling: "M4 4h8v8H4z",
  failed: "M4 4l8 8M12 4l-8 8",
  cancelled: "M8 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM5 11l6-6",
  completed: "M3 8.5l3.5 3.5L13 4.5",
};

/** Those shapes that are filled; the others are lines. */
export const FILLED: ReadonlySet<TaskStatus> = new Set(["running", "paused"]);

/** Every status, in the order in which the list offers them: what moves first. */
export const STATUSES: readonly TaskStatus[] = [
  "running",
  "pending",
  "paused",
  "retrying",
  "cancelling",
  "failed",
  "cancelled",
  "completed",
];

/** Whether a task can still be cancelled. */
export function isUnderWay(status: TaskStatus): boolean {
  return status !== "completed" && status !== "failed" && status !== "cancelled";
}

/** Whether something is being done, so that a rate and the time left mean anything. */
export function isMoving(status: TaskStatus): boolean {
  return status === "running" || status === "cancelling";
}
