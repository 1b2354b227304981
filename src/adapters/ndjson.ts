import * as v from "valibot";
import { brokenRule } from "../protocol/client_frames.ts";
import { TaskId } from "../protocol/names.ts";
import { cloudEventKey, isCloudEvent, parseCloudEvent } from "../task/cloud_event.ts";
import { EventKey } from "../task/event_key.ts";
import { isKind, KINDS, parseBody } from "../task/worker_event.ts";
import type { SaidEvent } from "./forwarder.ts";

/** The longest line, in UTF-16 units: an event of the largest body, however much of it is escaped. */
export const MAX_LINE = 524_288;

/** What a line says, or in one sentence why it is no event. */
export type ReadLine = { readonly event: SaidEvent } | { readonly refused: string };

const Line = v.object({
  task_id: v.optional(TaskId),
  kind: v.string(),
  event_id: v.optional(EventKey),
});

/** How lines are read. `taskId` is whose those are that do not say it; `nowMs` when those happened that do not. */
export type LineContext = { readonly taskId: string | undefined; readonly nowMs: number };

/**
 * Understands a line: `{"task_id", "kind", "event_id"?, …}`, the rest being the event's body; or a CloudEvent. Undefined where
 * it is empty. Pure.
 */
export function readLine(line: string, { taskId: given, nowMs }: LineContext): ReadLine | undefined {
  if (line.trim() === "") return undefined;
  if (line.length > MAX_LINE) return { refused: `must be at most ${MAX_LINE} characters` };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { refused: "must be JSON" };
  }
  const told = isCloudEvent(value) ? toldByCloudEvent(value) : toldPlainly(value);
  if ("refused" in told) return told;
  const { taskId = given, kind, id, body } = told;
  if (taskId === undefined) return { refused: "task_id: must be given" };
  if (!isKind(kind)) return { refused: `kind: must be one of ${KINDS.join(", ")}` };
  const parsed = parseBody(kind, body);
  if ("rejected" in parsed) return { refused: parsed.rejected };
  const atMs = parsed.body.at ?? nowMs;
  return { event: { taskId, kind, body, atMs, ...(id === undefined ? {} : { id }) } };
}

type Told = {
  readonly taskId?: string | undefined;
  readonly kind: string;
  readonly id: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
};

function toldPlainly(value: unknown): Told | { readonly refused: string } {
  const line = v.safeParse(Line, value, { abortEarly: true });
  if (!line.success) return { refused: brokenRule(line.issues) };
  const { task_id: taskId, kind, event_id: id } = line.output;
  const body: Record<string, unknown> = { ...Object(value) };
  for (const member of ["task_id", "kind", "event_id"]) delete body[member];
  return { taskId, kind, id, body };
}

function toldByCloudEvent(value: unknown): Told | { readonly refused: string } {
  const parsed = parseCloudEvent(value);
  if ("rejected" in parsed) return { refused: parsed.rejected };
  const { taskId, kind, body } = parsed.said;
  return { taskId, kind, id: cloudEventKey(parsed.said), body };
}

/** The lines of a text that comes in pieces. One that is too long comes cut, just beyond {@link MAX_LINE}. */
export async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of bytes) {
    const lines = decoder.decode(piece, { stream: true }).split("\n");
    const last = lines.pop() ?? "";
    for (const line of lines) {
      yield (rest + line).slice(0, MAX_LINE + 1);
      rest = "";
    }
    rest = (rest + last).slice(0, MAX_LINE + 1);
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
