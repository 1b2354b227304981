import type { Context } from "hono";
import { refusalOf } from "../access/may.ts";
import type { Appended, NewEntry } from "../log/event_log.ts";
import { isTaskId, type TaskId } from "../protocol/names.ts";
import type { Spans } from "../telemetry/spans.ts";
import { parseTraceparent, printTraceparent } from "../telemetry/traceparent.ts";
import { type BodyMemory, mediaType, withJson } from "./body.ts";
import type { Asking } from "./asking.ts";
import { invalid, type Problem, problemResponse, refused } from "./problem.ts";
import {
  CLOUD_EVENT_TYPES,
  type EventsContext,
  formatOf,
  parseEvents,
  WORKER_TYPES,
} from "./worker_events.ts";

/** Appends to the log; resolves when all are durable, rejects with a LogError. */
export type Append = (entries: readonly NewEntry[]) => Promise<readonly Appended[]>;

/** What the routes need. */
export type AppendDeps = { readonly append: Append; readonly spans: Spans; readonly memory: BodyMemory };

/** A route's part of an app. */
type Route = (c: Context<Asking>) => Promise<Response>;

/** `POST /api/tasks/:id/events`: appends a worker's events, all or none, and answers 202 when they are durable. */
export function appendRoute(deps: AppendDeps): Route {
  return async (c) => {
    // Who may not is told so before a byte of the body is read, or memory is kept for it.
    const taskId = c.req.param("id") ?? "";
    if (!isTaskId(taskId)) {
      return problemResponse(invalid("task_id: must be 1–128 characters of A-Za-z0-9_-"));
    }
    const refusal = refusalOf(c.var.access, { right: "publish", written: { taskId, tags: [] } });
    if (refusal !== undefined) return problemResponse(refused(refusal));
    return await appended(c, deps, { taskId, types: WORKER_TYPES });
  };
}

/** `POST /api/events`: the same for CloudEvents, of any tasks, each of which names its own. */
export function appendAnyRoute(deps: AppendDeps): Route {
  return async (c) => {
    const refusal = refusalOf(c.var.access, { right: "publish" });
    if (refusal !== undefined) return problemResponse(refused(refusal));
    return await appended(c, deps, { taskId: undefined, types: CLOUD_EVENT_TYPES });
  };
}

async function appended(
  c: Context<Asking>,
  { append, spans, memory }: AppendDeps,
  { taskId, types }: { readonly taskId: TaskId | undefined; readonly types: readonly string[] },
): Promise<Response> {
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
  }, { types });
  return answer instanceof Response ? answer : problemResponse(answer);
}

type ToAppend = { readonly entries: readonly NewEntry[]; readonly links: readonly string[] };

function parse(
  c: Context<Asking>,
  taskId: TaskId | undefined,
  value: unknown,
): ToAppend | { readonly problem: Problem } {
  const context: EventsContext = {
    taskId,
    format: formatOf(mediaType(c.req.raw.headers)),
    traceparent: traceOf(c.req.header("traceparent")),
    idempotencyKey: c.req.header("idempotency-key"),
  };
  const parsed = parseEvents(value, context);
  if ("problem" in parsed) return parsed;
  for (const [written, tags] of parsed.tags) {
    const refusal = refusalOf(c.var.access, { right: "publish", written: { taskId: written, tags } });
    if (refusal !== undefined) return { problem: refused(refusal) };
  }
  const links = new Set(parsed.entries.flatMap(({ traceparent }) => traceparent ?? []));
  return { entries: parsed.entries, links: [...links].slice(0, MAX_LINKS) };
}

/** So many traces are named on the span of a request. */
const MAX_LINKS = 32;

function traceOf(header: string | undefined): string | undefined {
  const context = parseTraceparent(header ?? "");
  return context && printTraceparent(context);
}
