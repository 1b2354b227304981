import type { World } from "../connection/world.ts";

/** The tasks that there may be, what may happen to them, and what may be watched of them. */
export const TASKS = ["t0", "t1", "t2"];
export const KINDS = ["created", "started", "progress", "progress", "paused", "resumed", "completed"];
export const TOPICS = [
  "task:status",
  "task:progress",
  "task:list",
  "task:id:t0",
  "task:id:t1:status",
  "task:tag:a",
];

/** The ids of all status frames that a watcher from the beginning is told. */
export async function changesOf(world: World): Promise<string[]> {
  const ids: string[] = [];
  for (let after = 0; after < world.projection.head;) {
    const page = await world.history.page({ after, upTo: world.projection.head });
    for (const { seq, status } of page.block.deliveries) {
      if (status !== undefined && seq > page.after && seq <= page.through) ids.push(`status_${seq}`);
    }
    after = page.through;
  }
  return ids;
}

/** The position in the id of a status frame. */
export function positionIn(id: string): number {
  return Number(id.slice("status_".length));
}

/** Orders ids of status frames by their positions. */
export function byPosition(one: string, other: string): number {
  return positionIn(one) - positionIn(other);
}

/** Those of these status frames that are of one task. */
export function ofTask(world: World, ids: readonly string[], task: string): string[] {
  return ids.filter((id) =>
    world.log.entries.some(({ seq, subject }) =>
      seq === positionIn(id) && subject.startsWith(`task.${task}.`)
    )
  );
}
