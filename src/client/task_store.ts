import type { ProgressData, TaskStatusData } from "../protocol/server_frames.ts";
import type { ClientError } from "./client_error.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { Source } from "./source.ts";
import { LiveStore, type Store } from "./store.ts";

/** A task as a page shows it. */
export type TaskView = {
  /** Undefined until the gateway has told of it: it may not exist yet. */
  readonly status: TaskStatusData["status"] | undefined;
  readonly progress: ProgressData | undefined;
  /** Milliseconds to its end as of the last word of it, or null. */
  readonly eta: number | null;
  /** The whole task, as of its last change of status. */
  readonly task: TaskStatusData | undefined;
  readonly connection: ConnectionState["kind"];
  /** Whether this may not be how it is by now: the connection is gone, or what was missed is still being read. */
  readonly isStale: boolean;
  readonly error: ClientError | undefined;
};

/** The store of one task. */
export function taskStore(client: Source, id: string): Store<TaskView> {
  const initial: TaskView = {
    status: undefined,
    progress: undefined,
    eta: null,
    task: undefined,
    connection: client.state.kind,
    isStale: true,
    error: undefined,
  };
  return new LiveStore<TaskView>(initial, (set) => {
    const endOfState = client.onState(({ kind }) => set((view) => ({ ...view, connection: kind })));
    const { unsubscribe } = client.subscribe(`task:id:${id}`, (frame) => {
      if (frame.type === "task_status") set((view) => withStatus(view, frame.data));
      if (frame.type === "task_progress") set((view) => withProgress(view, frame.data.progress));
    }, {
      onLive: (isLive) => set((view) => view.isStale === !isLive ? view : { ...view, isStale: !isLive }),
      onError: (error) => set((view) => ({ ...view, error })),
    });
    set((view) => view.connection === client.state.kind ? view : { ...view, connection: client.state.kind });
    return () => {
      endOfState();
      unsubscribe();
      set((view) => ({ ...view, isStale: true }));
    };
  });
}

function withStatus(view: TaskView, task: TaskStatusData): TaskView {
  return { ...view, task, status: task.status, progress: task.progress, eta: task.progress.eta_ms };
}

function withProgress(view: TaskView, progress: ProgressData): TaskView {
  return { ...view, progress, eta: progress.eta_ms };
}
