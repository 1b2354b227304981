import type { TaskStatusData } from "../client/client.ts";
import type { TaskStatus } from "../protocol/client_frames.ts";
import type { ListFilter } from "./route.ts";

/** What the list page shows of all tasks that are known. */
export type ListModel = {
  /** Those that fit, in the order in which they came. */
  readonly tasks: readonly TaskStatusData[];
  /** How many of each status there are, of those that fit but for the status. */
  readonly counts: Readonly<Record<TaskStatus, number>>;
  /** How many fit but for the status. */
  readonly total: number;
  /** The tags that tasks carry, the most frequent first. */
  readonly tags: readonly string[];
  /** Items a second of all that run; null where none says. */
  readonly rate: number | null;
  /** Ms until the last of those that run and say so ends; null where none says. */
  readonly etaMs: number | null;
  /** Whether any of those that fit names a parent. */
  readonly hasParts: boolean;
};

/** So many tags are offered to choose from. */
const MAX_TAGS = 100;

/** Counts and filters, in one walk over all tasks. */
export function listModel(all: readonly TaskStatusData[], filter: ListFilter): ListModel {
  const counts = noCounts();
  const tags = new Map<string, number>();
  const tasks: TaskStatusData[] = [];
  const words = wordsOf(filter.text ?? "");
  let total = 0;
  let rate: number | null = null;
  let etaMs: number | null = null;
  let hasParts = false;
  for (const task of all) {
    for (const tag of task.tags) tags.set(tag, (tags.get(tag) ?? 0) + 1);
    if (!fits(task, filter.tag, words)) continue;
    total++;
    counts[task.status]++;
    hasParts ||= task.parent_id !== null;
    if (task.status === "running") {
      const { rate: ownRate, eta_ms: ownEtaMs } = task.progress;
      if (ownRate !== null) rate = (rate ?? 0) + ownRate;
      if (ownEtaMs !== null) etaMs = Math.max(etaMs ?? 0, ownEtaMs);
    }
    if (filter.status === undefined || filter.status === task.status) tasks.push(task);
  }
  return { tasks, counts, total, tags: mostFrequent(tags, filter.tag), rate, etaMs, hasParts };
}

function noCounts(): Record<TaskStatus, number> {
  const zero = { pending: 0, running: 0, paused: 0, cancelling: 0, retrying: 0 };
  return { ...zero, failed: 0, cancelled: 0, completed: 0 };
}

function mostFrequent(tags: ReadonlyMap<string, number>, chosen: string | undefined): readonly string[] {
  const sorted = [...tags].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, MAX_TAGS);
  const names = sorted.map(([name]) => name);
  return chosen === undefined || names.includes(chosen) ? names : [chosen, ...names];
}

/** The words of a search, in small letters: each must be found. */
export function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().split(/\s+/).filter((word) => word !== "");
}

/** Whether a task carries the tag, if any, and all words are in its id, name, type, tags or what it does. */
export function fits(task: TaskStatusData, tag: string | undefined, words: readonly string[]): boolean {
  if (tag !== undefined && !task.tags.includes(tag)) return false;
  if (words.length === 0) return true;
  const { task_id: id, name, type, tags, progress } = task;
  const text = `${id}\n${name ?? ""}\n${type ?? ""}\n${tags.join("\n")}\n${progress.current ?? ""}`
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

/**
 * The id that is chosen after moving by `step` rows from `id`: the first or last where none was chosen or it is gone,
 * undefined where there are none.
 */
export function moved(
  tasks: readonly TaskStatusData[],
  id: string | undefined,
  step: number,
): string | undefined {
  const from = id === undefined ? -1 : tasks.findIndex(({ task_id }) => task_id === id);
  const to = from < 0 ? (step > 0 ? 0 : tasks.length - 1) : from + step;
  return tasks[Math.min(Math.max(to, 0), tasks.length - 1)]?.task_id;
}
