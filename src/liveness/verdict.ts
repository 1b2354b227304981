import type { NewEntry } from "../log/event_log.ts";
import type { TaskRecord } from "../projection/task_table.ts";
import { eventSubject, type TaskEvent } from "../task/worker_event.ts";

/** What is to be said of a task: that nothing was heard since `heard`, or that it is lost. */
export type Verdict = {
  readonly record: TaskRecord;
  readonly heard: TaskEvent | undefined;
  readonly isLost: boolean;
};

const encoder = new TextEncoder();

/** The kind of event that says it. */
export function kindOf({ isLost }: Verdict): "failed" | "stale" {
  return isLost ? "failed" : "stale";
}

/** The id of the event that says it, the same from every gateway. None of a worker can have it: there is a space in it. */
export function idOf(verdict: Verdict): string {
  const { record: { id, state: { top } }, heard } = verdict;
  return `${id} ${kindOf(verdict)} ${top.attempt} ${heard?.seq ?? 0}`;
}

/** The event that says it, as of position `through`, where the last of its kind is to lie at `last`. */
export function entryOf(
  verdict: Verdict,
  { last, through, silentMs }: { readonly last: number; readonly through: number; readonly silentMs: number },
): NewEntry {
  const { record: { id: taskId, state: { top: { attempt } } }, isLost } = verdict;
  const body = isLost ? { attempt, ...lost(silentMs) } : { attempt, through };
  const [subject, id] = [eventSubject(taskId, kindOf(verdict)), idOf(verdict)];
  return { subject, body: encoder.encode(JSON.stringify(body)), id, last };
}

function lost(silentMs: number): Readonly<Record<string, unknown>> {
  const message = `nothing was heard of it for ${Math.round(silentMs / 1_000)} s`;
  return { reason: "lost", error: { message, code: "lost" } };
}
