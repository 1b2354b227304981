import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { TaskStatusData } from "../client/client.ts";
import { useLatest } from "./hooks.ts";
import { keyAction } from "./keys.ts";
import { moved } from "./list_model.ts";
import { pressedOn } from "./pressed_on.ts";
import { say } from "./reader.ts";
import { printRoute } from "./route.ts";
import { anchored, rowWindow, scrollTo } from "./row_window.ts";
import { TaskRow, TaskRowHeads } from "./task_row.tsx";
import type { TreeRow } from "./task_tree.ts";

/** Tasks to choose from, of which only those that are seen are in the page. */
export type TaskTableProps = {
  readonly tasks: readonly TaskStatusData[];
  /** The same as a tree, where they lie below their parents; what is not in it is not shown. */
  readonly rows: readonly TreeRow[] | undefined;
  /** Of the tree, those whose parts are in it. */
  readonly open: ReadonlySet<string>;
  readonly onToggle: (id: string) => void;
  /** Whether more of them may follow, if they are asked for. */
  readonly hasMore: boolean;
  readonly at: number | undefined;
  readonly chosen: string | undefined;
  /** The gateway's time, ms since the epoch. */
  readonly nowMs: number;
  readonly onChoose: (id: string | undefined) => void;
  /** Called, maybe often, while the last of them are near and more may follow. */
  readonly onEnd: () => void;
};

/** How high a row is, px; the same in style.css. */
const ROW_PX = { wide: 56, narrow: 96 };
const NARROW = "(max-width: 720px)";

/** So many rows before the last what follows is asked for. */
const NEAR_END = 100;

/** A table of any length that scrolls by itself. Its rows are moved through with j and k. */
export function TaskTable(props: TaskTableProps): JSX.Element {
  const { rows, open, onToggle, hasMore, at, chosen, nowMs, onChoose, onEnd } = props;
  const tasks = useMemo(() => rows?.map(({ task }) => task) ?? props.tasks, [rows, props.tasks]);
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ scrollPx: 0, heightPx: 600 });
  const rowPx = useNarrow() ? ROW_PX.narrow : ROW_PX.wide;
  const viewport = { ...view, rowPx };
  const { first, end } = rowWindow(tasks.length, viewport);
  useHeight(box, (heightPx) => setView((known) => ({ ...known, heightPx })));
  useAnchor(box, tasks, first, viewport);

  useEffect(() => {
    if (hasMore && end + NEAR_END >= tasks.length) onEnd();
  });
  const focus = (id: string | undefined): void => {
    if (id === undefined) return;
    box.current?.querySelector<HTMLElement>(`[data-task="${id}"] a`)?.focus({ preventScroll: true });
  };
  const latest = useLatest({ tasks, chosen, viewport, onChoose });
  useEffect(() => {
    const choose = (step: number): void => {
      const { tasks, chosen, viewport, onChoose } = latest.current;
      const id = moved(tasks, chosen, step);
      const top = scrollTo(tasks.findIndex(({ task_id }) => task_id === id), viewport);
      if (box.current !== null && id !== undefined) box.current.scrollTop = top;
      if (id !== undefined) setView((known) => ({ ...known, scrollPx: top }));
      // The next key may come before this is drawn.
      latest.current = { ...latest.current, chosen: id };
      focus(id);
      onChoose(id);
    };
    const listen = (event: KeyboardEvent): void => {
      const action = keyAction(event, pressedOn(event.target));
      if (action === "next") choose(1);
      else if (action === "previous") choose(-1);
      else if (action === "open" && latest.current.chosen !== undefined) {
        location.hash = printRoute({ page: "task", id: latest.current.chosen });
      } else return;
      event.preventDefault();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
  useEffect(() => focus(latest.current.chosen), [chosen]); // once it is there

  return (
    <div class="table" role="table" aria-label={say("tasks")} aria-rowcount={hasMore ? -1 : tasks.length + 1}>
      <div role="rowgroup">
        <TaskRowHeads />
      </div>
      <div
        class="rows"
        role="rowgroup"
        tabIndex={0}
        aria-label={say("tasks")}
        ref={box}
        onScroll={({ currentTarget }) =>
          setView((known) => ({ ...known, scrollPx: currentTarget.scrollTop }))}
      >
        <div role="presentation" class="length" style={{ height: `${tasks.length * rowPx}px` }} />
        {tasks.slice(first, end).map((task, i) => (
          <TaskRow
            key={task.task_id}
            task={task}
            place={{ index: first + i, topPx: (first + i) * rowPx }}
            isChosen={task.task_id === chosen}
            depth={rows?.[first + i]?.depth}
            parts={rows?.[first + i]?.parts ?? 0}
            isOpen={open.has(task.task_id)}
            onToggle={onToggle}
            at={at}
            nowMs={nowMs}
          />
        ))}
      </div>
    </div>
  );
}

function useNarrow(): boolean {
  const [isNarrow, set] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const query = matchMedia(NARROW);
    const change = (): void => set(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, []);
  return isNarrow;
}

function useHeight(box: { readonly current: HTMLElement | null }, tell: (px: number) => void): void {
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    tell(element.clientHeight);
    const observer = new ResizeObserver(() => tell(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
}

/** Holds on to the task that is topmost while others come and go above it. */
function useAnchor(
  box: { readonly current: HTMLElement | null },
  tasks: readonly TaskStatusData[],
  first: number,
  { scrollPx, rowPx }: { readonly scrollPx: number; readonly rowPx: number },
): void {
  const held = useRef<{ readonly id: string; readonly index: number } | undefined>(undefined);
  const known = useRef(tasks);
  useLayoutEffect(() => {
    const element = box.current;
    const anchor = held.current;
    if (element !== null && anchor !== undefined && known.current !== tasks && scrollPx > 0) {
      // Most changes move nothing, so it is looked for where it was first.
      const stays = tasks[anchor.index]?.task_id === anchor.id;
      const index = stays ? anchor.index : tasks.findIndex(({ task_id }) => task_id === anchor.id);
      const top = anchored(scrollPx, rowPx, anchor.index, index);
      if (top !== scrollPx) element.scrollTop = top;
    }
    known.current = tasks;
    const task = tasks[first];
    held.current = task === undefined ? undefined : { id: task.task_id, index: first };
  });
}
