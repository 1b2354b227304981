import type { ServerFrame } from "../protocol/server_frames.ts";

/** A frame that tells of one task. */
export type TaskFrame = Extract<ServerFrame, { type: "task_progress" | "task_status" }>;

/** A frame that carries a value of a channel. */
export type ValueFrame = Extract<
  ServerFrame,
  { type: "data_update" | "strategy_update" | "channel_update" }
>;

/** A frame that tells what is so now of something: of a task, or of a key of a channel. */
export type NewsFrame = TaskFrame | ValueFrame;

const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);

/** The position of the event that a frame tells of; 0 where it tells of none. It is in the id of every such frame. */
export function positionOf({ id, seq }: NewsFrame): number {
  const [, position] = /^(?:progress|status)_(\d+)$/.exec(id) ?? [];
  return position === undefined ? seq ?? 0 : Number(position);
}

/** Whether a frame is of those. */
export function isNewsFrame(frame: ServerFrame): frame is NewsFrame {
  return /^task_(status|progress)$|_update$/.test(frame.type);
}

/** What a frame is news of: a task, or a key of a channel. */
export function aboutOf({ data }: NewsFrame): string {
  return "topic" in data ? `${data.topic} ${data.key}` : data.task_id;
}

/** Whether a frame says that its task has ended. */
export function saysEnded(frame: NewsFrame): boolean {
  return frame.type === "task_status" && ENDED.has(frame.data.status);
}

/**
 * The topics that a frame belongs to, by its task and these tags; of `undefined` tags nobody told yet: then it may belong
 * to any topic of tags among `topics`, since the gateway sends nothing that nobody holds.
 */
export function topicsOf(
  frame: NewsFrame,
  tags: readonly string[] | undefined,
  topics: Iterable<string>,
): readonly string[] {
  if ("topic" in frame.data) return [frame.data.topic];
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
