import { parseTopic } from "../protocol/topics.ts";
import type { Behind, Wanted } from "./flow.ts";

/** So many tasks are read by themselves in any case; and more, where the stream has so many positions for each. */
const SMALL_SCOPE = 32;
const POSITIONS_PER_TASK = 200;

/**
 * What to read next: of some tasks alone where nothing else is missing; if only up to where others begin, so far first, so
 * that the history of one task costs no walk over all of them, whatever else is held.
 */
export function wantedNext(flow: Behind, head: number): Wanted {
  const after = flow.cursor;
  let next = head;
  for (const from of flow.held.values()) if (from > after && from < next) next = from;
  for (const upTo of new Set([head, next])) {
    const tasks = scopeOf(flow, upTo);
    if (tasks !== undefined) return { after, upTo, tasks };
  }
  return { after, upTo: head };
}

/** The tasks, and the topics of channels, whose records are all that is missing up to `upTo`; undefined where only the whole stream will do. */
function scopeOf(flow: Behind, upTo: number): ReadonlySet<string> | undefined {
  const tasks = new Set<string>();
  const most = Math.max(SMALL_SCOPE, (upTo - flow.cursor) / POSITIONS_PER_TASK);
  for (const [topic, from] of flow.held) {
    if (from >= upTo) continue;
    const parsed = parseTopic(topic);
    const one = parsed?.kind === "task" ? parsed.taskId : parsed?.kind === "channel" ? topic : undefined;
    if (one === undefined || tasks.size >= most) return undefined;
    tasks.add(one);
  }
  return tasks.size === 0 ? undefined : tasks;
}

/** Whether a page has all that is to be read up to its end. */
export function isCovered(flow: Behind, { upTo, tasks }: Wanted): boolean {
  if (tasks === undefined) return true;
  const needed = scopeOf(flow, upTo);
  return needed !== undefined && [...needed].every((id) => tasks.has(id));
}
