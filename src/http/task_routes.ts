import { type Context, Hono } from "hono";
import * as v from "valibot";
import {
  type At,
  brokenRule,
  CancelTaskData,
  GetHistoryData,
  GetTaskData,
  GetTasksData,
  type TaskQuery,
} from "../protocol/client_frames.ts";
import type { TaskId } from "../protocol/names.ts";
import type {
  HistoryEvent,
  Refused,
  ServerData,
  TaskPage,
  TaskStatusData,
} from "../protocol/server_frames.ts";
import { BodyMemory, MAX_REQUEST_BYTES, withJson } from "./body.ts";
import { invalid, type Problem, problemResponse, refused } from "./problem.ts";
import { readQuery } from "./query.ts";

/** Events of a task after a position, as they were written. */
export type HistoryPage = { readonly events: readonly HistoryEvent[]; readonly next_after_seq?: number };

/** What can be asked about tasks, and of them; the same as the socket answers. Undefined: the log knows of no such task. */
export interface TaskQueries {
  task(id: TaskId, at: At | undefined): Promise<TaskStatusData | Refused | undefined>;
  list(query: TaskQuery): Promise<TaskPage | Refused>;
  history(id: TaskId, afterSeq: number, limit: number): Promise<HistoryPage | undefined>;
  cancel(id: TaskId, reason: string | null | undefined): Promise<ServerData["cancel_requested"] | Refused>;
}

/** `at_seq`, `at_epoch` and `at_time`. */
const AT = { at: ["seq", "epoch", "time"] };

/** Below `/tasks`: `get_tasks`, `get_task`, `get_history` and `cancel_task` over HTTP. */
export function taskRoutes(queries: TaskQueries): Hono {
  const routes = new Hono();
  routes.get("/tasks", async (c) => {
    const read = readQuery(GetTasksData, c.req.url, {
      numbers: ["limit", "page", "at_seq", "at_time"],
      objects: AT,
    });
    return "problem" in read ? problemResponse(read.problem) : told(c, await queries.list(read.value));
  });
  routes.get("/tasks/:id", async (c) => {
    const read = readQuery(GetTaskData, c.req.url, {
      path: { task_id: c.req.param("id") },
      numbers: ["at_seq", "at_time"],
      objects: AT,
    });
    if ("problem" in read) return problemResponse(read.problem);
    const { task_id, at } = read.value;
    const task = await queries.task(task_id, at);
    return task === undefined ? problemResponse(noSuchTask(task_id, at)) : told(c, task);
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
  routes.post("/tasks/:id/cancel", cancelRoute(queries));
  return routes;
}

/** Answers 202 when the request to cancel is durable: whether it is followed is the worker's to say. */
function cancelRoute(queries: TaskQueries): (c: Context) => Promise<Response> {
  const memory = new BodyMemory(8 * MAX_REQUEST_BYTES);
  return async (c) => {
    const answer = await withJson(c.req.raw, memory, async (value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return invalid("the body must be a JSON object");
      }
      const parsed = v.safeParse(CancelTaskData, { ...value, task_id: c.req.param("id") }, {
        abortEarly: true,
      });
      if (!parsed.success) return invalid(brokenRule(parsed.issues));
      const { task_id, reason } = parsed.output;
      return told(c, await queries.cancel(task_id, reason), 202);
    }, { empty: {} });
    return answer instanceof Response ? answer : problemResponse(answer);
  };
}

/** What was found, or why it cannot be had. */
function told(c: Context, found: object | Refused, status: 200 | 202 = 200): Response {
  return "refused" in found ? problemResponse(refused(found.refused)) : c.json(found, status);
}

function noSuchTask(taskId: TaskId, at?: At): Problem {
  return {
    status: 404,
    code: "TASK_NOT_FOUND",
    detail: at === undefined ? "the log holds no event of that task" : "that task had no event yet",
    details: { task_id: taskId },
  };
}
