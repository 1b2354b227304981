import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Client, TaskStatusData } from "../client/client.ts";
import { EmptyState } from "./empty_state.tsx";
import { firstKept, why } from "./failure.ts";
import { FilterBar } from "./filter_bar.tsx";
import { useStore } from "./hooks.ts";
import { listModel } from "./list_model.ts";
import type { LiveView } from "./live.ts";
import { MAX_PAST_TASKS, type PastList, usePastList } from "./past_list.ts";
import { count, perSecond, say, span } from "./reader.ts";
import type { ListFilter } from "./route.ts";
import { Scrubber } from "./scrubber.tsx";
import { TaskTable } from "./task_table.tsx";
import { partsOf, toggled, topsOf, treeRows } from "./task_tree.ts";

/** What the list page is made from. */
export type ListPageProps = {
  readonly client: Client;
  readonly live: LiveView;
  readonly filter: ListFilter;
  readonly at: number | undefined;
  readonly chosen: string | undefined;
  readonly onChoose: (id: string | undefined) => void;
  /** The tasks whose parts are shown where they lie below them. */
  readonly open: ReadonlySet<string>;
  readonly onOpen: (open: ReadonlySet<string>) => void;
  readonly onFilter: (filter: ListFilter) => void;
  readonly onMove: (at: number | undefined, isDone: boolean) => void;
};

/** All tasks, or those that fit: as they are, or as they were. */
export function ListPage(props: ListPageProps): JSX.Element {
  const { client, live, filter, at, chosen, onChoose, open, onOpen, onFilter, onMove } = props;
  const now = useStore(client.tasks());
  const past = usePastList(client, at);
  const [first, setFirst] = useState(1);
  const kept = firstKept(past.error);
  useEffect(() => {
    // What the log no longer has cannot be gone back to, only as far as it reaches.
    if (kept === undefined || at === undefined || at >= kept) return;
    setFirst(kept);
    onMove(kept, true);
  }, [kept, at]);
  const isPast = past.at !== undefined;
  // Until the past is there what was shown stands still; what is now is not the past.
  const shown = useRef<readonly TaskStatusData[]>([]);
  const tasks = isPast ? past.tasks : at === undefined ? now.tasks : shown.current;
  shown.current = tasks;
  const model = useMemo(() => listModel(tasks, filter), [tasks, filter]);
  const rows = useMemo(() => {
    if (!filter.isFolded) return undefined;
    const parts = partsOf(model.tasks);
    return treeRows(topsOf(model.tasks, parts), parts, open);
  }, [model.tasks, filter.isFolded, open]);
  const error = at === undefined ? now.error : kept === undefined ? past.error : undefined;
  const isPartial = isPast && past.tasks.length < past.total;
  const isShort = model.tasks.length === 0 && past.hasMore;
  useEffect(() => {
    if (isShort) past.more();
  });
  const isLoading = isShort || kept !== undefined || (!isPast && (at !== undefined || now.isLoading));
  const isStale = at === undefined && now.isStale && !now.isLoading;
  const isEmpty = at === undefined && !now.isLoading && now.tasks.length === 0 && error === undefined;
  if (isEmpty) return <EmptyState />;
  return (
    <div class={`list${isPast ? " past" : ""}${isStale ? " frozen" : ""}`}>
      <h1 class="hidden">{say("tasks")}</h1>
      <FilterBar filter={filter} model={model} isPartial={isPartial} onFilter={onFilter} />
      {error === undefined ? null : (
        <p class="failure" role="alert">
          {say("listFailed", { why: why(error) })}{" "}
          {isPast ? <button type="button" onClick={past.again}>{say("again")}</button> : null}
        </p>
      )}
      {isPast && (error === undefined || tasks.length > 0)
        ? <p class="then" role="status">{say("listAsItWas", { seq: count(past.at) })}</p>
        : null}
      {past.isTruncated ? <p class="stale" role="status">{say("truncated")}</p> : null}
      {model.tasks.length > 0
        ? (
          <TaskTable
            tasks={model.tasks}
            rows={rows}
            open={open}
            onToggle={(id) => onOpen(toggled(open, id))}
            hasMore={past.hasMore}
            at={at}
            chosen={chosen}
            nowMs={live.nowMs}
            onChoose={onChoose}
            onEnd={past.more}
          />
        )
        : (
          <p class="loading" role="status">
            {error !== undefined ? null : say(isLoading ? "loading" : "none")}
          </p>
        )}
      <footer>
        <p>
          {isStale ? <strong>{say("stale")}</strong> : null}
          {isLoading && tasks.length === 0
            ? null
            : isPartial
            ? partOf(past, model.tasks.length)
            : say("shown", { shown: count(model.tasks.length), total: count(tasks.length) })}
          {model.rate === null || isPast ? null : ` · ${
            say("summary", {
              rate: perSecond(model.rate),
              eta: model.etaMs === null ? "?" : span(model.etaMs),
            })
          }`}
          <span class="keys">{say("keys")}</span>
        </p>
        {live.head === 0 ? null : <Scrubber first={first} last={live.head} at={at} onMove={onMove} />}
      </footer>
    </div>
  );
}

/** How much of a list of the past is there, and whether more can be. */
function partOf({ tasks, total, hasMore }: PastList, shown: number): string {
  const loaded = { shown: count(shown), loaded: count(tasks.length), total: count(total) };
  return `${say("pastPart", loaded)} · ${
    hasMore ? say("pastMore") : say("pastMost", { most: count(MAX_PAST_TASKS) })
  }`;
}
