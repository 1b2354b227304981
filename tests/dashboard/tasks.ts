import type { TaskStatusData } from "../../src/client/client.ts";

/** A running task of that id, with nothing else known but `changes`. */
export function taskNamed(id: string, changes: Partial<TaskStatusData> = {}): TaskStatusData {
  return {
    task_id: id,
    status: "running",
    start_time: "2026-01-02T03:04:05.000Z",
    end_time: null,
    attempt: 1,
    name: null,
    type: null,
    tags: [],
    parent_id: null,
    reason: null,
    error: null,
    result: null,
    created_time: null,
    progress: { ...NO_PROGRESS },
    ...changes,
  };
}

/** Counters that say nothing. */
export const NO_PROGRESS: TaskStatusData["progress"] = {
  total: null,
  completed: 0,
  failed: 0,
  current: null,
  percentage: null,
  status: null,
  attempt: 1,
  rate: null,
  eta_ms: null,
};
