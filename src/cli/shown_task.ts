import type { PushedFrame } from "../client/client.ts";
import type { ProgressData, TaskStatusData } from "../protocol/server_frames.ts";

/** A task as far as frames told of it. */
export type ShownTask = {
  readonly id: string;
  /** Undefined while nothing but progress was heard of it. */
  readonly task: TaskStatusData | undefined;
  readonly progress: ProgressData | undefined;
};

const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);

/** Whether it has ended. */
export function hasEnded({ task }: ShownTask): boolean {
  return task !== undefined && ENDED.has(task.status);
}

/** A task as a `task_status`, or an entry of a list, tells of it. */
export function shownTask(task: TaskStatusData): ShownTask {
  return { id: task.task_id, task, progress: task.progress };
}

/** What a frame tells: of which tasks, each as it is now. `before`: what was known of it. Pure. */
export function toldBy(
  frame: PushedFrame,
  before: (id: string) => ShownTask | undefined,
): readonly ShownTask[] {
  switch (frame.type) {
    case "task_status":
      return [shownTask(frame.data)];
    case "task_progress": {
      const { task_id: id, progress } = frame.data;
      const task = before(id)?.task;
      return [{ id, task: task === undefined ? undefined : { ...task, progress }, progress }];
    }
    case "task_list":
      return frame.data.tasks.map(shownTask);
    case "data_update":
    case "strategy_update":
    case "channel_update":
    case "gap":
    case "caught_up":
      return [];
  }
}
