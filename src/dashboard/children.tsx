import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Client, TaskStatusData } from "../client/client.ts";
import { useStore } from "./hooks.ts";
import { usePast } from "./past.ts";
import { count, say } from "./reader.ts";
import { TaskRow, TaskRowHeads } from "./task_row.tsx";

/** So many of a task's children are shown. */
const MAX_SHOWN = 100;

/** Whose children are shown: as they are, or as they were at position `at`; `nowMs` is the gateway's time. */
export type ChildrenProps = {
  readonly client: Client;
  readonly id: string;
  readonly at: number | undefined;
  readonly nowMs: number;
};

/** The tasks that name this one as their parent, where there are any. */
export function Children({ client, id, at, nowMs }: ChildrenProps): JSX.Element | null {
  const store = useMemo(() => client.tasks({ parent_id: id }), [client, id]);
  const now = useStore(store);
  // What has no children now is taken to have had none.
  const past = usePast(
    now.tasks.length === 0 ? undefined : at,
    (seq) => client.getTasks({ parent_id: id, at: { seq }, limit: MAX_SHOWN }),
  );
  const tasks: readonly TaskStatusData[] = at === undefined ? now.tasks : past.value?.tasks ?? [];
  const total = at === undefined ? now.tasks.length : past.value?.total ?? 0;
  if (tasks.length === 0) return null;
  return (
    <section class="children" aria-labelledby="children-title">
      <h2 id="children-title">
        {say("children")} <small>{count(total)}</small>
      </h2>
      <div class="table short" role="table" aria-labelledby="children-title" aria-rowcount={total + 1}>
        <div role="rowgroup">
          <TaskRowHeads />
        </div>
        <div role="rowgroup">
          {tasks.slice(0, MAX_SHOWN).map((task) => (
            <TaskRow key={task.task_id} task={task} at={at} nowMs={nowMs} />
          ))}
        </div>
      </div>
    </section>
  );
}
