import type { Share } from "../projection/interest.ts";

/** What of one delivery an audience is to get. */
export type Part = Share & {
  /** Whether it must not be merged: a history asked for whole. */
  readonly whole: boolean;
};

/**
 * Drops the progress that newer progress of the same task makes pointless. Status changes all stay; so does the last
 * progress before each of a task's terminal statuses, and the newest of all. Of a channel the newest value of each key stays.
 * Order by position is kept.
 */
export function conflate(parts: readonly Part[]): Part[] {
  const newer = new Set<string>();
  const kept: Part[] = [];
  for (let i = parts.length - 1; i >= 0; i--) {
    const part = parts[i];
    if (part === undefined) continue;
    const { taskId, key = taskId, terminal } = part.delivery;
    if (terminal) newer.delete(key);
    const pointless = part.progress && !part.whole && newer.has(key);
    if (part.progress) newer.add(key);
    if (!pointless) kept.push(part);
    else if (part.status || part.list) kept.push({ ...part, progress: false });
  }
  return kept.reverse();
}
