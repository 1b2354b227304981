import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Client, TaskStatusData } from "../client/client.ts";
import { EmptyState } from "./empty_state.tsx";
import { firstKept, why } from "./failure.ts";
import { FilterBar } from "./filter_bar.tsx";
import { useStore } from "./hooks.ts";
import { listModel } from "./list_model.ts";
import type { LiveView } from "./live.ts";
import { usePast } from "./past.ts";
import { count, perSecond, say, span } from "./reader.ts";
import type { ListFilter } from "./route.ts";
import { Scrubber } from "./scrubber.tsx";
import { TaskTable } from "./task_table.tsx";

/** What the list page is made from. */
export type ListPageProps = {
  readonly client: Client;
  readonly live: LiveView;
  readonly filter: ListFilter;
  readonly at: number | undefined;
  readonly chosen: string | undefined;
  readonly onChoose: (id: string | undefined) => void;
  readonly onFilter: (filter: ListFilter) => void;
  readonly onMove: (at: number | undefined, isDone: boolean) => void;
};

/** As many tasks of a past moment are shown; the answer says how many there were. */
const PAST_LIMIT = 1_000;

/** All tasks, or those that fit: as they are, or as they were. */
export function ListPage(props: ListPageProps): JSX.Element {
  const { client, live, filter, at, chosen, onChoose, onFilter, onMove } = props;
  const now = useStore(client.tasks());
  const past = usePast(at, (seq) => client.getTasks({ at: { seq }, limit: PAST_LIMIT }));
  const [first, setFirst] = useState(1);
  const kept = firstKept(past.error);
  useEffect(() => {
    // What the log no longer has cannot be gone back to, only as far as it reaches.
    if (kept === undefined || at === undefined || at >= kept) return;
    setFirst(kept);
    onMove(kept, true);
  }, [kept, at]);
  const isPast = at !== undefined && past.value !== undefined;
  const tasks: readonly TaskStatusData[] = isPast ? past.value.tasks : now.tasks;
  const model = useMemo(() => listModel(tasks, filter), [tasks, filter]);
  const error = at === undefined ? now.error : kept === undefined ? past.error : undefined;
  const isEmpty = at === undefined && !now.isLoading && now.tasks.length === 0 && error === undefined;
  if (isEmpty) return <EmptyState />;
  return (
    <div class={`list${isPast ? " past" : ""}`}>
      <h1 class="hidden">{say("tasks")}</h1>
      <FilterBar filter={filter} model={model} onFilter={onFilter} />
      {error === undefined
        ? null
        : <p class="failure" role="alert">{say("listFailed", { why: why(error) })}</p>}
      {isPast && past.value.at?.truncated === true
        ? <p class="stale" role="status">{say("truncated")}</p>
        : null}
      {now.isLoading && now.tasks.length === 0 && at === undefined
        ? <p class="loading" role="status">{say("loading")}</p>
        : model.tasks.length === 0 && error === undefined
        ? <p class="loading" role="status">{say("none")}</p>
        : <TaskTable tasks={model.tasks} at={at} chosen={chosen} onChoose={onChoose} />}
      <footer>
        <p>
          {isPast && past.value.total > past.value.tasks.length
            ? say("pastPart", { shown: count(past.value.tasks.length), total: count(past.value.total) })
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
