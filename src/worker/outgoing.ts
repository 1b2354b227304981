import { context, propagation } from "@opentelemetry/api";
import * as v from "valibot";
import { brokenRule } from "../protocol/client_frames.ts";
import { TaskId } from "../protocol/names.ts";
import { type Kind, MAX_BODY_BYTES, parseBody } from "../task/worker_event.ts";
import { messageOf, WorkerError } from "./worker_error.ts";

/** An event on its way to the log: checked, and written down so that nothing can change it any more. */
export type Outgoing = {
  /** Stays the same through every try; the log stores it once. */
  readonly id: string;
  readonly taskId: TaskId;
  readonly kind: Kind;
  readonly attempt: number;
  /** The body: a JSON object, never empty. */
  readonly json: string;
  /** The body's size in bytes. */
  readonly bytes: number;
  /** W3C trace context of whoever said it, where tracing is on. */
  readonly traceparent?: string;
};

const encoder = new TextEncoder();

/** Parses a task's id, or throws a {@link WorkerError} that names the rule. */
export function parseTaskId(id: string): TaskId {
  const parsed = v.safeParse(TaskId, id);
  if (parsed.success) return parsed.output;
  throw new WorkerError("invalid", `task id ${JSON.stringify(id)}: ${brokenRule(parsed.issues)}`);
}

/**
 * Checks `body` by the very rules the gateway reads it with, and writes it down. `at` is added.
 * Throws a {@link WorkerError} `invalid` that names the member and the rule.
 */
export function outgoing(
  event: { readonly id: string; readonly taskId: TaskId; readonly kind: Kind; readonly attempt: number },
  body: Readonly<Record<string, unknown>>,
  atMs: number,
): Outgoing {
  const { result, ...rest } = body;
  check(event.kind, rest);
  const json = write(event.kind, { ...body, at: atMs });
  const bytes = encoder.encode(json).length;
  if (bytes > MAX_BODY_BYTES) {
    throw new WorkerError(
      "invalid",
      `${event.kind}: body: must be at most ${MAX_BODY_BYTES} bytes, is ${bytes}`,
    );
  }
  // A result is the caller's own value: only what JSON made of it can be walked without fear of circles.
  if (result !== undefined) check(event.kind, JSON.parse(json));
  const traceparent = activeTraceparent();
  return { ...event, json, bytes, ...(traceparent === undefined ? {} : { traceparent }) };
}

/** Throws a {@link WorkerError} `invalid` unless `body` is one of `kind`. */
export function check(kind: Kind, body: unknown): void {
  const parsed = parseBody(kind, body);
  if ("rejected" in parsed) throw new WorkerError("invalid", `${kind}: ${parsed.rejected}`);
}

function activeTraceparent(): string | undefined {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
}

function write(kind: Kind, body: unknown): string {
  try {
    return JSON.stringify(body);
  } catch (error) {
    throw new WorkerError("invalid", `${kind}: body: must be JSON: ${messageOf(error)}`, { cause: error });
  }
}
