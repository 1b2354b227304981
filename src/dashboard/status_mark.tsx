import type { JSX } from "preact";
import type { TaskStatusData } from "../client/client.ts";
import type { TaskStatus } from "../protocol/client_frames.ts";
import { say } from "./reader.ts";
import { FILLED, STATUS_SHAPES } from "./statuses.ts";

/** The shape of a status, in its colour. What it means is said beside it. */
export function StatusShape({ status }: { readonly status: TaskStatus }): JSX.Element {
  return (
    <svg class={`shape ${status}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={STATUS_SHAPES[status]} class={FILLED.has(status) ? "filled" : "lines"} />
    </svg>
  );
}

/** A task's status by its shape, its colour and its name; and whether nothing is heard of its worker. */
export function StatusMark({ task: { status, liveness } }: { readonly task: TaskStatusData }): JSX.Element {
  return (
    <span class="status" data-status={status}>
      <StatusShape status={status} />
      {say(status)}
      {liveness === "stale" ? <span class="stale" title={say("silentWhy")}>{say("silent")}</span> : null}
    </span>
  );
}
