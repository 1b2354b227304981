import type { ServerFrame } from "../protocol/server_frames.ts";

/** A frame that tells of one task. */
export type TaskFrame = Extract<ServerFrame, { type: "task_progress" | "task_status" }>;

const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);

/** The position of the event that a frame tells of; 0 where it tells of none. It is in the id of every such frame. */
export function positionOf({ id, seq }: TaskFrame): number {
  const [, position] = /^(?:progress|status)_(\d+)$/.exec(id) ?? [];
  return position === undefined ? seq ?? 0 : Number(position);
}

/** Whether a frame says that its task has ended. */
export function saysEnded(frame: TaskFrame): boolean {
  return frame.type === "task_status" && ENDED.has(frame.data.status);
}

/**
 * The topics that a frame belongs to, by its task and these tags; of `undefined` tags nobody told yet: then it may belong
 * to any topic of tags among `topics`, since the gateway sends nothing that nobody holds.
 */
export function topicsOf(
  frame: TaskFrame,
  tags: readonly string[] | undefined,
  topics: Iterable<string>,
): readonly string[] {
  const half = frame.type === "task_progress" ? "progress" : "status";
  const id = `task:id:${frame.data.task_id}`;
  const names = [`task:${half}`, id, `${id}:${half}`];
  for (const name of topics) {
    if (!name.startsWith("task:tag:")) continue;
    const [, , tag = "", facet = half] = name.split(":");
    if (facet === half && (tags === undefined || tags.includes(tag))) names.push(name);
  }
  return names;
}
