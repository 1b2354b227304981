import { Hono } from "hono";
import { GetHistoryData, GetTaskData, GetTasksData, type TaskQuery } from "../protocol/client_frames.ts";
import type { TaskId } from "../protocol/names.ts";
import type { HistoryEvent, TaskStatusData } from "../protocol/server_frames.ts";
import { type Problem, problemResponse } from "./problem.ts";
import { readQuery } from "./query.ts";

/** Tasks that match a query; `total` counts those of all pages. */
export type TaskPage = {
  readonly tasks: readonly TaskStatusData[];
  readonly total: number;
  readonly next_page?: number;
};

/** Events of a task after a position, as they were written. */
export type HistoryPage = { readonly events: readonly HistoryEvent[]; readonly next_after_seq?: number };

/** What can be asked about tasks; the same as the socket answers. Undefined: the log knows of no such task. */
export interface TaskQueries {
  task(id: TaskId): Promise<TaskStatusData | undefined>;
  list(query: TaskQuery): Promise<TaskPage>;
  history(id: TaskId, afterSeq: number, limit: number): Promise<HistoryPage | undefined>;
}

/** `/tasks`, `/tasks/:id` and `/tasks/:id/events`: `get_tasks`, `get_task` and `get_history` over HTTP. */
export function taskRoutes(queries: TaskQueries): Hono {
  const routes = new Hono();
  routes.get("/tasks", async (c) => {
    const read = readQuery(GetTasksData, c.req.url, { numbers: ["limit", "page"] });
    return "problem" in read ? problemResponse(read.problem) : c.json(await queries.list(read.value));
  });
  routes.get("/tasks/:id", async (c) => {
    const read = readQuery(GetTaskData, c.req.url, { path: { task_id: c.req.param("id") } });
    if ("problem" in read) return problemResponse(read.problem);
    const task = await queries.task(read.value.task_id);
    return task === undefined ? problemResponse(noSuchTask(read.value.task_id)) : c.json(task);
  });
  routes.get("/tasks/:id/events", async (c) => {
    const read = readQuery(GetHistoryData, c.req.url, {
      path: { task_id: c.req.param("id") },
      numbers: ["after_seq", "limit"],
    });
    if ("problem" in read) return problemResponse(read.problem);
    const { task_id, after_seq, limit } = read.value;
    const page = await queries.history(task_id, after_seq, limit);
    return page === undefined ? problemResponse(noSuchTask(task_id)) : c.json({ task_id, ...page });
  });
  return routes;
}

function noSuchTask(taskId: TaskId): Problem {
  return {
    status: 404,
    code: "TASK_NOT_FOUND",
    detail: "the log holds no event of that task",
    details: { task_id: taskId },
  };
}
