import type { JSX } from "preact";
import type { TaskStatusData } from "../client/client.ts";
import { formatPercentage } from "./formats.ts";
import { count, say } from "./reader.ts";

/** A task's progress: a bar that moves, and its counters. Where the total is not known the bar says no more than that. */
export function ProgressBar({ task }: { readonly task: TaskStatusData }): JSX.Element {
  const { percentage, completed, failed, total } = task.progress;
  const isKnown = percentage !== null;
  const share = (percentage ?? 0) / 100;
  const done = total === null ? count(completed + failed) : `${count(completed + failed)}/${count(total)}`;
  return (
    <div class="progress">
      <div
        class={`bar ${task.status}${isKnown ? "" : " unknown"}`}
        role="progressbar"
        aria-label={`${say("progress")}: ${task.name ?? task.task_id}`}
        aria-valuemin={0}
        aria-valuemax={100}
        {...(isKnown
          ? { "aria-valuenow": Math.round(percentage) }
          : { "aria-valuetext": say("unknownTotal") })}
      >
        <i style={{ transform: `scaleX(${isKnown ? share : 0})` }} />
      </div>
      <span class="counters">
        <b>{isKnown ? formatPercentage(percentage) : total === null ? done : "—"}</b>
        {total === null ? "" : ` ${done}`}
        {failed > 0 ? <em class="bad">{` ${say("failedItems", { count: count(failed) })}`}</em> : null}
      </span>
    </div>
  );
}
