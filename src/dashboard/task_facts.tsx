import type { ComponentChildren, JSX } from "preact";
import type { TaskStatusData } from "../client/client.ts";
import { elapsedMs } from "./formats.ts";
import { ProgressBar } from "./progress_bar.tsx";
import { moment, perSecond, say, span } from "./reader.ts";
import { printRoute } from "./route.ts";
import { StatusMark } from "./status_mark.tsx";
import { isMoving } from "./statuses.ts";
import type { TextKey } from "./texts.ts";

/**
 * What a task is: its status, its bar, and everything else that is known of it; `nowMs` is the gateway's time, undefined
 * where the task is shown as it was.
 */
export function TaskFacts(
  { task, nowMs }: { readonly task: TaskStatusData; readonly nowMs: number | undefined },
): JSX.Element {
  const { progress, error, result, parent_id: parent } = task;
  const elapsed = elapsedMs(task.start_time, task.end_time, nowMs);
  const rate = isMoving(task.status) ? progress.rate : null;
  const eta = isMoving(task.status) ? progress.eta_ms : null;
  return (
    <section class="facts" aria-label={say("status")}>
      <p class="state">
        <StatusMark task={task} />
        {task.attempt > 1 ? <span class="attempt">{say("attempt", { count: task.attempt })}</span> : null}
      </p>
      <ProgressBar task={task} />
      <dl>
        <Fact name="current" value={progress.current} />
        <Fact name="rate" value={rate === null ? null : perSecond(rate)} />
        <Fact name="left" value={eta === null ? null : span(eta)} />
        <Fact name="elapsed" value={elapsed === null ? null : span(elapsed)} />
        <Fact name="created" value={time(task.created_time)} />
        <Fact name="started" value={time(task.start_time)} />
        <Fact name="ended" value={time(task.end_time)} />
        <Fact name="type" value={task.type} />
        <Fact
          name="tags"
          value={task.tags.length === 0
            ? null
            : task.tags.map((tag) => (
              <a key={tag} class="tag" href={printRoute({ page: "list", filter: { tag } })}>{tag}</a>
            ))}
        />
        <Fact
          name="parent"
          value={parent === null ? null : <a href={printRoute({ page: "task", id: parent })}>{parent}</a>}
        />
        <Fact name="reason" value={task.reason} />
      </dl>
      {error === null ? null : (
        <div class="failure" role="group" aria-label={say("error")}>
          <b>{say("error")}</b> {error.code === undefined ? null : <code>{error.code}</code>}
          <pre tabIndex={0}>{error.message}</pre>
        </div>
      )}
      {result === null ? null : (
        <div class="result" role="group" aria-label={say("result")}>
          <b>{say("result")}</b>
          <pre tabIndex={0}>{JSON.stringify(result, null, 2)}</pre>
        </div>
      )}
    </section>
  );
}

function time(value: string | null): JSX.Element | null {
  return value === null ? null : <time dateTime={value} title={value}>{moment(value)}</time>;
}

function Fact(
  { name, value }: { readonly name: TextKey; readonly value: ComponentChildren },
): JSX.Element | null {
  if (value === null) return null;
  return (
    <div>
      <dt>{say(name)}</dt>
      <dd>{value}</dd>
    </div>
  );
}
