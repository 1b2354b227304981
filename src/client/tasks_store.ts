import type { TaskStatusData } from "../protocol/server_frames.ts";
import { ClientError } from "./client_error.ts";
import type { Clock } from "./clock.ts";
import { type ConnectedView, connectView, unconnected } from "./connected_view.ts";
import type { Source, TaskFilter, TasksPage } from "./source.ts";
import { LiveStore, type Store } from "./store.ts";
import type { PushedFrame } from "./watch.ts";

/** Tasks as a page shows them. */
export type TasksView = ConnectedView & {
  /** The newest first. */
  readonly tasks: readonly TaskStatusData[];
  /** Whether the first answer is still to come. */
  readonly isLoading: boolean;
};

const PAGE = 1_000;
/** So many tasks are asked for at most; what moves is shown beyond. */
const MAX_TASKS = 20_000;
/** Changes are shown together, so often. */
const SHOWN_EVERY_MS = 50;

/** Filters that let the same through have the same key. */
export function filterKey(filter: TaskFilter): string {
  return JSON.stringify(filter, ["status", "tag", "parent_id", "type"]);
}

/** The store of the tasks that fit `filter`. */
export function tasksStore(client: Source, filter: TaskFilter, clock: Clock): Store<TasksView> {
  return new LiveStore<TasksView>({ tasks: [], isLoading: true, ...unconnected(client) }, (set) => {
    const list = new TaskList(filter);
    let callOff: (() => void) | undefined;
    let isOver = false;
    let isAsked = false;
    const show = (): void => {
      callOff ??= clock.after(SHOWN_EVERY_MS, () => {
        callOff = undefined;
        set((view) => ({ ...view, tasks: list.newestFirst() }));
      });
    };
    const load = async (): Promise<void> => {
      try {
        let limit = PAGE;
        let left = MAX_TASKS;
        for (let page: number | undefined = 1; page !== undefined && left > 0 && !isOver;) {
          const answer: TasksPage = await client.getTasks({ ...filter, limit, page });
          list.loaded(answer.tasks);
          limit = answer.limit ?? limit;
          page = answer.next_page;
          left -= answer.tasks.length;
        }
      } catch (error) {
        isAsked = false;
        if (!isOver && error instanceof ClientError) set((view) => ({ ...view, error }));
      }
      if (!isOver) set((view) => ({ ...view, isLoading: false, tasks: list.newestFirst() }));
    };
    const topics = filter.tag === undefined ? ["task:list", "task:progress"] : [`task:tag:${filter.tag}`];
    const stop = connectView(client, set, topics, (frame) => {
      if (frame.type === "gap") {
        list.clear();
        isAsked = false;
      }
      // Not before: what ended after the answer and before the subscription would be shown as under way for ever.
      if (frame.type === "caught_up" && !isAsked) {
        isAsked = true;
        void load();
      }
      if (list.take(frame)) show();
    });
    return () => {
      isOver = true;
      callOff?.();
      stop();
    };
  });
}

/** Tasks in the order in which they came, as frames change them. */
class TaskList {
  readonly #filter: TaskFilter;
  readonly #tasks = new Map<string, TaskStatusData>();
  /** Those that an answer told of which frames had told of before: the frames know better. */
  readonly #told = new Set<string>();

  constructor(filter: TaskFilter) {
    this.#filter = filter;
  }

  newestFirst(): readonly TaskStatusData[] {
    return [...this.#tasks.values()].reverse();
  }

  clear(): void {
    this.#tasks.clear();
    this.#told.clear();
  }

  /** Takes a page of the present state in, the newest first: older tasks go before what is there, in the page's order. */
  loaded(page: readonly TaskStatusData[]): void {
    const known = [...this.#tasks];
    const tasks = new Map(known);
    this.#tasks.clear();
    for (const task of [...page].reverse()) {
      const { task_id: id } = task;
      const now = this.#told.has(id) ? tasks.get(id) : task;
      if (now !== undefined) this.#tasks.set(id, now);
    }
    for (const [id, task] of known) if (!this.#tasks.has(id)) this.#tasks.set(id, task);
  }

  /** Takes a frame in; whether it may have changed anything. */
  take({ type, data }: PushedFrame): boolean {
    if (type === "task_status") this.#put(data);
    if (type === "task_list") {
      for (const task of data.tasks) this.#put(task);
      if ("removed" in data) { for (const id of data.removed) this.#tasks.delete(id); }
    }
    if (type !== "task_progress") return true;
    const { task_id: id, progress } = data;
    const known = this.#tasks.get(id);
    if (known !== undefined) this.#tasks.set(id, { ...known, progress });
    return known !== undefined;
  }

  #put(task: TaskStatusData): void {
    this.#told.add(task.task_id);
    if (this.#fits(task)) this.#tasks.set(task.task_id, task);
    else this.#tasks.delete(task.task_id);
  }

  #fits(task: TaskStatusData): boolean {
    const { tag, ...filter } = this.#filter;
    if (tag !== undefined && !task.tags.includes(tag)) return false;
    return (["status", "parent_id", "type"] as const).every((member) =>
      filter[member] === undefined || filter[member] === task[member]
    );
  }
}
