import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Client, TaskStatusData } from "../client/client.ts";
import { useStore } from "./hooks.ts";
import { listModel } from "./list_model.ts";
import { usePast } from "./past.ts";
import { count, say } from "./reader.ts";
import { StatusShape } from "./status_mark.tsx";
import { STATUSES } from "./statuses.ts";
import { TaskRow, TaskRowHeads } from "./task_row.tsx";
import { partsOf, toggled, treeRows } from "./task_tree.ts";

/** So many of a task's children are shown, with those below them. */
const MAX_SHOWN = 100;

/** Whose children are shown: as they are, or as they were at position `at`; `nowMs` is the gateway's time. */
export type ChildrenProps = {
  readonly client: Client;
  readonly id: string;
  readonly at: number | undefined;
  readonly nowMs: number;
};

/** The tasks that name this one as their parent, where there are any, and below each its own; how many are how far. */
export function Children({ client, id, at, nowMs }: ChildrenProps): JSX.Element | null {
  const store = useMemo(() => client.tasks({ parent_id: id }), [client, id]);
  const now = useStore(store);
  const { tasks: all } = useStore(client.tasks());
  // What has no children now is taken to have had none.
  const past = usePast(
    now.tasks.length === 0 ? undefined : at,
    (seq) => client.getTasks({ parent_id: id, at: { seq }, limit: MAX_SHOWN }),
  );
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const tasks: readonly TaskStatusData[] = at === undefined ? now.tasks : past.value?.tasks ?? [];
  const total = at === undefined ? now.tasks.length : past.value?.total ?? 0;
  // What is below the children is known as it is now alone.
  const parts = useMemo(() => partsOf(at === undefined ? all : []), [all, at === undefined]);
  const rows = useMemo(() => treeRows(tasks, parts, open, MAX_SHOWN), [tasks, parts, open]);
  const isTree = rows.some(({ parts }) => parts > 0);
  const { counts } = useMemo(() => listModel(tasks, {}), [tasks]);
  if (tasks.length === 0) return null;
  return (
    <section class="children" aria-labelledby="children-title">
      <h2 id="children-title">
        {say("children")} <small>{count(total)}</small>
      </h2>
      <p class="tally">
        {STATUSES.filter((status) => counts[status] > 0).map((status) => (
          <span key={status} data-tally={status}>
            <StatusShape status={status} /> {count(counts[status])} {say(status)}
          </span>
        ))}
      </p>
      <div class="table short" role="table" aria-labelledby="children-title" aria-rowcount={rows.length + 1}>
        <div role="rowgroup">
          <TaskRowHeads />
        </div>
        <div role="rowgroup">
          {rows.map(({ task, depth, parts }) => (
            <TaskRow
              key={task.task_id}
              task={task}
              depth={isTree ? depth : undefined}
              parts={parts}
              isOpen={open.has(task.task_id)}
              onToggle={(id) => setOpen((open) => toggled(open, id))}
              at={at}
              nowMs={nowMs}
            />
          ))}
        </div>
      </div>
    </section>
  );
}
