import type { Context } from "hono";
import { refusalOf } from "../access/may.ts";
import type { Appended, NewEntry } from "../log/event_log.ts";
import { isTaskId, type TaskId } from "../protocol/names.ts";
import type { Spans } from "../telemetry/spans.ts";
import { parseTraceparent, printTraceparent } from "../telemetry/traceparent.ts";
import { type BodyMemory, withJson } from "./body.ts";
import type { Asking } from "./asking.ts";
import { invalid, type Problem, problemResponse, refused } from "./problem.ts";
import { parseEvents } from "./worker_events.ts";

/** Appends to the log; resolves when all are durable, rejects with a LogError. */
export type Append = (entries: readonly NewEntry[]) => Promise<readonly Appended[]>;

/** What the route needs. */
export type AppendDeps = { readonly append: Append; readonly spans: Spans; readonly memory: BodyMemory };

/** `POST /api/tasks/:id/events`: appends a worker's events, all or none, and answers 202 when they are durable. */
export function appendRoute(
  { append, spans, memory }: AppendDeps,
): (c: Context<Asking>) => Promise<Response> {
  return async (c) => {
    // Who may not is told so before a byte of the body is read, or memory is kept for it.
    const may = mayAppend(c);
    if ("problem" in may) return problemResponse(may.problem);
    const { taskId } = may;
    const answer = await withJson(c.req.raw, memory, async (value) => {
      const parsed = parse(c, taskId, value);
      if ("problem" in parsed) return parsed.problem;
      const { entries, links } = parsed;
      const results = await spans.span(
        "append",
        { attributes: { "taskwire.events": entries.length }, links },
        () => {
          const own = spans.traceparent();
          // Without a trace of the worker's own, the event's trace begins here.
          return append(entries.map((entry) => own === undefined ? entry : { traceparent: own, ...entry }));
        },
      );
      return c.json({ results: results.map(({ seq, duplicate }) => ({ seq, duplicate })) }, 202);
    });
    return answer instanceof Response ? answer : problemResponse(answer);
  };
}

type ToAppend = { readonly entries: readonly NewEntry[]; readonly links: readonly string[] };

function mayAppend(c: Context<Asking>): { readonly taskId: TaskId } | { readonly problem: Problem } {
  const taskId = c.req.param("id") ?? "";
  if (!isTaskId(taskId)) return { problem: invalid("task_id: must be 1–128 characters of A-Za-z0-9_-") };
  const refusal = refusalOf(c.var.access, { right: "publish", written: { taskId, tags: [] } });
  return refusal === undefined ? { taskId } : { problem: refused(refusal) };
}

function parse(c: Context<Asking>, taskId: TaskId, value: unknown): ToAppend | { readonly problem: Problem } {
  const context = parseTraceparent(c.req.header("traceparent") ?? "");
  const traceparent = context && printTraceparent(context);
  const parsed = parseEvents(value, { taskId, traceparent, idempotencyKey: c.req.header("idempotency-key") });
  if ("problem" in parsed) return parsed;
  const refusal = refusalOf(c.var.access, { right: "publish", written: { taskId, tags: parsed.tags } });
  if (refusal !== undefined) return { problem: refused(refusal) };
  return { entries: parsed.entries, links: traceparent === undefined ? [] : [traceparent] };
}
