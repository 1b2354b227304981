import type { TaskStatusData } from "../client/client.ts";

/** A task in a list in which the parts of a task lie below it. */
export type TreeRow = {
  readonly task: TaskStatusData;
  /** How far below the top it is. */
  readonly depth: number;
  /** How many of the tasks name it as their parent. */
  readonly parts: number;
};

/** Tasks by the parent that they name, each in the order in which they came. */
export type Parts = ReadonlyMap<string, readonly TaskStatusData[]>;

/** Nothing is looked for further up or down: whoever names parents may name them in a circle. */
export const MAX_DEPTH = 16;

/** Finds the parts of each task, in one walk. */
export function partsOf(tasks: readonly TaskStatusData[]): Parts {
  const parts = new Map<string, TaskStatusData[]>();
  for (const task of tasks) {
    const { task_id: id, parent_id: parent } = task;
    if (parent === null || parent === id) continue;
    const own = parts.get(parent);
    if (own === undefined) parts.set(parent, [task]);
    else own.push(task);
  }
  return parts;
}

/** Those tasks that are below no other of them, and those that are so in a circle: each has to be seen somewhere. */
export function topsOf(tasks: readonly TaskStatusData[], parts: Parts): readonly TaskStatusData[] {
  if (parts.size === 0) return tasks;
  const parents = new Map<string, string | null>();
  for (const { task_id: id, parent_id: parent } of tasks) parents.set(id, parent === id ? null : parent);
  return tasks.filter(({ task_id: id }) => {
    let above = parents.get(id) ?? null;
    if (above === null || !parents.has(above)) return true;
    for (let step = 0; step < MAX_DEPTH; step++) {
      const next: string | null = above === null ? null : parents.get(above) ?? null;
      if (next === null || !parents.has(next)) return false;
      above = next;
    }
    return true;
  });
}

/** `tops`, each followed by its parts where it is `open`, and so on; each task once, and `most` rows at most. */
export function treeRows(
  tops: readonly TaskStatusData[],
  parts: Parts,
  open: ReadonlySet<string>,
  most = Infinity,
): readonly TreeRow[] {
  const rows: TreeRow[] = [];
  const shown = new Set<string>();
  const add = (tasks: readonly TaskStatusData[], depth: number): void => {
    for (const task of tasks) {
      if (rows.length >= most) return;
      if (shown.has(task.task_id)) continue;
      shown.add(task.task_id);
      const own = depth < MAX_DEPTH ? parts.get(task.task_id) ?? [] : [];
      rows.push({ task, depth, parts: own.length });
      if (own.length > 0 && open.has(task.task_id)) add(own, depth + 1);
    }
  };
  add(tops, 0);
  return rows;
}

/** The same set with `id` in it, or without where it was. */
export function toggled(open: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(open);
  if (!next.delete(id)) next.add(id);
  return next;
}
