import { Component, type JSX } from "preact";
import type { TaskStatusData } from "../client/client.ts";
import { elapsedMs } from "./formats.ts";
import { ProgressBar } from "./progress_bar.tsx";
import { count, perSecond, say, span } from "./reader.ts";
import { printRoute } from "./route.ts";
import { StatusMark } from "./status_mark.tsx";
import { isMoving } from "./statuses.ts";

/** What a row is of. */
export type TaskRowProps = {
  readonly task: TaskStatusData;
  /** Its place among all that fit, from 0, and where that is, px; undefined in a short list that scrolls with the page. */
  readonly place?: { readonly index: number; readonly topPx: number };
  readonly isChosen?: boolean;
  /** How far below the top it is in a tree; undefined in a list that is none. */
  readonly depth?: number | undefined;
  /** How many are below it, and whether they are shown. */
  readonly parts?: number;
  readonly isOpen?: boolean;
  /** Shows what is below it, or does so no more. */
  readonly onToggle?: (id: string) => void;
  readonly at?: number | undefined;
  readonly nowMs: number;
};

/** A task in a list. It is drawn again only when something of it changed. */
export class TaskRow extends Component<TaskRowProps> {
  override shouldComponentUpdate(next: TaskRowProps): boolean {
    const { task, place, isChosen, depth, parts, isOpen, at, nowMs } = this.props;
    const ticks = next.nowMs !== nowMs && next.task.start_time !== null && next.task.end_time === null;
    return next.task !== task || next.place?.topPx !== place?.topPx || next.isChosen !== isChosen ||
      next.depth !== depth || next.parts !== parts || next.isOpen !== isOpen || next.at !== at || ticks;
  }

  override render(props: TaskRowProps): JSX.Element {
    const { task, place, isChosen = false, depth, parts = 0, isOpen = false, onToggle, at, nowMs } = props;
    const { task_id: id, name, tags, progress, attempt } = task;
    const href = printRoute({ page: "task", id, ...(at === undefined ? {} : { at }) });
    const elapsed = elapsedMs(task.start_time, task.end_time, at === undefined ? nowMs : undefined);
    return (
      <div
        role="row"
        class={`row${isChosen ? " chosen" : ""}`}
        data-task={id}
        {...(place === undefined
          ? {}
          : { "aria-rowindex": place.index + 2, style: { top: `${place.topPx}px` } })}
      >
        <div
          role="cell"
          class={depth === undefined ? "what" : "what tree"}
          {...(depth === undefined ? {} : { style: { "--depth": depth } })}
        >
          {parts === 0 ? null : (
            <button
              type="button"
              class="fold"
              aria-expanded={isOpen}
              aria-label={say("partsOf", { count: count(parts), name: name ?? id })}
              onClick={() => onToggle?.(id)}
            >
              {isOpen ? "▾" : "▸"}
            </button>
          )}
          <a href={href} title={id}>{name ?? id}</a>
          <small>
            {name === null ? null : <code>{id}</code>}
            {attempt > 1 ? <span class="attempt">{say("attempt", { count: attempt })}</span> : null}
            {tags.map((tag) => <span key={tag} class="tag">{tag}</span>)}
            {progress.current === null ? null : <span class="current">{progress.current}</span>}
          </small>
        </div>
        <div role="cell" class="how">
          <StatusMark task={task} />
        </div>
        <div role="cell" class="far">
          <ProgressBar task={task} />
        </div>
        <div role="cell" class="number fast">
          {progress.rate === null || !isMoving(task.status) ? "" : perSecond(progress.rate)}
        </div>
        <div role="cell" class="number left" data-label={say("left")}>
          {progress.eta_ms === null || !isMoving(task.status) ? "" : span(progress.eta_ms)}
        </div>
        <div role="cell" class="number long">{elapsed === null ? "" : span(elapsed)}</div>
      </div>
    );
  }
}

/** The heads of the columns. */
export function TaskRowHeads(): JSX.Element {
  return (
    <div role="row" class="heads" aria-rowindex={1}>
      <div role="columnheader" class="what">{say("task")}</div>
      <div role="columnheader" class="how">{say("status")}</div>
      <div role="columnheader" class="far">{say("progress")}</div>
      <div role="columnheader" class="number fast">{say("rate")}</div>
      <div role="columnheader" class="number left">{say("left")}</div>
      <div role="columnheader" class="number long">{say("elapsed")}</div>
    </div>
  );
}
