import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { Access } from "../access/access.ts";
import { refusalOf } from "../access/may.ts";
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
import type { Refused, ServerData, TaskPage, TaskStatusData } from "../protocol/server_frames.ts";
import type { Asking } from "./asking.ts";
import { BodyMemory, MAX_REQUEST_BYTES, withJson } from "./body.ts";
import { largeJson } from "./large_json.ts";
import { invalid, problemResponse, refused } from "./problem.ts";
import { readQuery } from "./query.ts";

/** What can be asked about tasks, and of them, by whom; the same as the socket answers. */
export interface TaskQueries {
  task(access: Access, id: TaskId, at: At | undefined): Promise<TaskStatusData | Refused>;
  list(access: Access, query: TaskQuery): TaskPage | Refused | Promise<TaskPage | Refused>;
  history(
    access: Access,
    id: TaskId,
    part: { readonly afterSeq: number; readonly limit: number },
  ): Promise<ServerData["task_history"] | Refused>;
  cancel(
    access: Access,
    id: TaskId,
    reason: string | null | undefined,
  ): Promise<ServerData["cancel_requested"] | Refused>;
}

/** How members that are objects are asked for in a query: `at_seq`, `at_epoch` and `at_time`. */
export const AT: { readonly at: readonly string[] } = { at: ["seq", "epoch", "time"] };

/** Below `/tasks`: `get_tasks`, `get_task`, `get_history` and `cancel_task` over HTTP. */
export function taskRoutes(queries: TaskQueries): Hono<Asking> {
  const routes = new Hono<Asking>();
  routes.get("/tasks", async (c) => {
    const read = readQuery(GetTasksData, c.req.url, {
      numbers: ["limit", "page", "at_seq", "at_time"],
      objects: AT,
    });
    return "problem" in read
      ? problemResponse(read.problem)
      : told(c, await queries.list(c.var.access, read.value));
  });
  routes.get("/tasks/:id", async (c) => {
    const read = readQuery(GetTaskData, c.req.url, {
      path: { task_id: c.req.param("id") },
      numbers: ["at_seq", "at_time"],
      objects: AT,
    });
    if ("problem" in read) return problemResponse(read.problem);
    const { task_id, at } = read.value;
    return told(c, await queries.task(c.var.access, task_id, at));
  });
  routes.get("/tasks/:id/events", async (c) => {
    const read = readQuery(GetHistoryData, c.req.url, {
      path: { task_id: c.req.param("id") },
      numbers: ["after_seq", "limit"],
    });
    if ("problem" in read) return problemResponse(read.problem);
    const { task_id, after_seq, limit } = read.value;
    return told(c, await queries.history(c.var.access, task_id, { afterSeq: after_seq, limit }));
  });
  routes.post("/tasks/:id/cancel", cancelRoute(queries));
  return routes;
}

/** Answers 202 when the request to cancel is durable: whether it is followed is the worker's to say. */
function cancelRoute(queries: TaskQueries): (c: Context<Asking>) => Promise<Response> {
  const memory = new BodyMemory(8 * MAX_REQUEST_BYTES);
  return async (c) => {
    const refusal = refusalOf(c.var.access, { right: "cancel" });
    if (refusal !== undefined) return problemResponse(refused(refusal));
    const answer = await withJson(c.req.raw, memory, async (value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return invalid("the body must be a JSON object");
      }
      const parsed = v.safeParse(CancelTaskData, { ...value, task_id: c.req.param("id") }, {
        abortEarly: true,
      });
      if (!parsed.success) return invalid(brokenRule(parsed.issues));
      const { task_id, reason } = parsed.output;
      return told(c, await queries.cancel(c.var.access, task_id, reason), 202);
    }, { empty: {} });
    return answer instanceof Response ? answer : problemResponse(answer);
  };
}

/** What was found, or why it cannot be had. */
async function told(c: Context, found: object | Refused, status: 200 | 202 = 200): Promise<Response> {
  if ("refused" in found) return problemResponse(refused(found.refused));
  return c.body(await largeJson(found), status, { "content-type": "application/json" });
}
