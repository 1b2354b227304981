import type { ProgressData, TaskStatusData } from "../protocol/server_frames.ts";
import { type ConnectedView, connectView, unconnected } from "./connected_view.ts";
import type { Source } from "./source.ts";
import { LiveStore, type Store } from "./store.ts";

/** A task as a page shows it. */
export type TaskView = ConnectedView & {
  /** Undefined until the gateway has told of it: it may not exist yet. */
  readonly status: TaskStatusData["status"] | undefined;
  readonly progress: ProgressData | undefined;
  /** Milliseconds to its end as of the last word of it, or null. */
  readonly eta: number | null;
  /** The whole task, as of its last change of status. */
  readonly task: TaskStatusData | undefined;
};

/** The store of one task. */
export function taskStore(client: Source, id: string): Store<TaskView> {
  const unknown = { status: undefined, progress: undefined, eta: null, task: undefined };
  return new LiveStore<TaskView>(
    { ...unknown, ...unconnected(client) },
    (set) =>
      connectView(client, set, `task:id:${id}`, (frame) => {
        if (frame.type === "task_status") set((view) => withStatus(view, frame.data));
        if (frame.type === "task_progress") set((view) => withProgress(view, frame.data.progress));
      }),
  );
}

function withStatus(view: TaskView, task: TaskStatusData): TaskView {
  return withProgress({ ...view, task, status: task.status }, task.progress);
}

function withProgress(view: TaskView, progress: ProgressData): TaskView {
  return { ...view, progress, eta: progress.eta_ms };
}
