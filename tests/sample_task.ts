import type { ProgressData, TaskStatusData } from "../src/protocol/server_frames.ts";

/** Counters that say nothing. */
export const NO_PROGRESS: ProgressData = {
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

/** A running task of that id as frames carry it, with nothing else known but `about`. */
export function taskNamed(id: string, about: Partial<TaskStatusData> = {}): TaskStatusData {
  return {
    task_id: id,
    status: "running",
    start_time: null,
    end_time: null,
    attempt: 1,
    name: null,
    type: null,
    tags: [],
    parent_id: null,
    reason: null,
    error: null,
    result: null,
    progress: NO_PROGRESS,
    created_time: null,
    liveness: null,
    ...about,
  };
}
