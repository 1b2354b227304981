import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Client } from "../client/client.ts";
import { useStore } from "./hooks.ts";
import { count, say } from "./reader.ts";
import { TaskRow, TaskRowHeads } from "./task_row.tsx";

/** So many of a task's children are shown. */
const MAX_SHOWN = 100;

/** The tasks that name this one as their parent, where there are any. */
export function Children(
  { client, id, nowMs }: { readonly client: Client; readonly id: string; readonly nowMs: number },
): JSX.Element | null {
  const store = useMemo(() => client.tasks({ parent_id: id }), [client, id]);
  const { tasks } = useStore(store);
  if (tasks.length === 0) return null;
  return (
    <section class="children" aria-labelledby="children-title">
      <h2 id="children-title">
        {say("children")} <small>{count(tasks.length)}</small>
      </h2>
      <div class="table short" role="table" aria-labelledby="children-title" aria-rowcount={tasks.length + 1}>
        <div role="rowgroup">
          <TaskRowHeads />
        </div>
        <div role="rowgroup">
          {tasks.slice(0, MAX_SHOWN).map((task) => <TaskRow key={task.task_id} task={task} nowMs={nowMs} />)}
        </div>
      </div>
    </section>
  );
}
