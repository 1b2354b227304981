/**
 * The progress of a group: a task with children moves as they do. Each child counts as its `total` (as 1 where that is not
 * known), so that large ones weigh more; one that has parts itself counts as they do. Those count that carry all tags of their
 * parent: so whoever may not write under its tags does not move it. A parent without tags is moved by whoever names it. Whoever works on the parent says no progress of it,
 * not even a heartbeat (`connectWorker(url, { heartbeatMs: 0 })`).
 *
 *     PLUGINS=src/plugins/examples/group_progress.ts deno task start
 *
 * Every gateway of a log does this; each says the same under the same id, and the log takes it once.
 */
import type { TaskStatusData } from "../../protocol/server_frames.ts";
import { definePlugin, type PluginGateway } from "../plugin.ts";

/** Groups within groups are looked into so far: who names parents may name them in a circle. */
const MAX_DEPTH = 8;
const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);
/** So many groups may wait to be summed up. */
const MOST_GROUPS = 1_000;
/** So many are looked at in one turn. */
const AT_A_TIME = 100;

/** Groups of which a part has changed, and by which event last. */
const changedOf = new WeakMap<PluginGateway, Map<string, number>>();

export default definePlugin({
  name: "group_progress",
  // What ended while nobody listened moves no group by itself.
  async onStart(gateway) {
    for (const [i, id] of gateway.parents().entries()) {
      await sumUp(id, {}, gateway);
      // Everybody else has a turn.
      if (i % AT_A_TIME === AT_A_TIME - 1) await new Promise((resolve) => setTimeout(resolve, 0));
    }
  },
  async onPublish({ taskId, seq, waiting }, gateway) {
    const changed = changedOf.get(gateway) ?? new Map<string, number>();
    changedOf.set(gateway, changed);
    const parentId = taskId === undefined ? undefined : gateway.task(taskId)?.parent_id ?? undefined;
    if (parentId !== undefined && parentId !== taskId) changed.set(parentId, seq);
    // All parts are looked at for it: not at each event where there are many.
    if (waiting > 0 && changed.size < MOST_GROUPS) return;
    for (const [id, at] of changed) {
      await sumUp(id, { eventId: `group ${at}` }, gateway);
      changed.delete(id);
    }
  },
});

async function sumUp(
  parentId: string,
  named: { readonly eventId?: string },
  gateway: PluginGateway,
): Promise<void> {
  const parent = gateway.task(parentId);
  if (parent === undefined || ENDED.has(parent.status)) return;
  const parts = partsOf(parent, gateway);
  if (parts.length === 0) return;
  const { progress } = parent;
  const { total, completed, failed, percentage } = sumOf(parent, parts, gateway);
  const isKnown = progress.percentage === percentage && progress.total === total &&
    progress.completed === completed && progress.failed === failed;
  if (isKnown) return;
  const current = `${completed + failed} of ${total} parts`;
  const body = { attempt: parent.attempt, total, completed, failed, percentage, current };
  await gateway.append(parentId, "progress", body, named);
}

/** How far a group is. */
type Sum = {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  /** 0–100 with two decimals. */
  readonly percentage: number;
};

/**
 * How far a group is by its parts, and by what it said itself of those that a gateway knows no more: only what has ended leaves
 * memory. Of those the weights are forgotten: they count as the others do on average, and the bar does not go back for it.
 */
function sumOf(
  { progress, attempt }: TaskStatusData,
  parts: readonly TaskStatusData[],
  gateway: PluginGateway,
): Sum {
  const completed = parts.filter(({ status }) => status === "completed").length;
  const failed = parts.filter(({ status }) => status === "failed" || status === "cancelled").length;
  const left = progress.attempt === attempt ? Math.max(0, (progress.total ?? 0) - parts.length) : 0;
  const percentage = shareOf(parts, left, gateway);
  if (left === 0) return { total: parts.length, completed, failed, percentage };
  const leftFailed = Math.min(left, Math.max(0, (progress.failed ?? 0) - failed));
  return {
    total: parts.length + left,
    completed: completed + left - leftFailed,
    failed: failed + leftFailed,
    percentage: Math.max(percentage, progress.percentage ?? 0),
  };
}

/** The tasks that count for one. */
function partsOf(
  { task_id: id, tags: asked }: TaskStatusData,
  gateway: PluginGateway,
): readonly TaskStatusData[] {
  return gateway.childrenOf(id).filter(({ task_id, tags }) =>
    task_id !== id && asked.every((tag) => tags.includes(tag))
  );
}

/** The share of all parts that is done, 0–100 with two decimals, each by its weight; `left` more have ended. */
function shareOf(parts: readonly TaskStatusData[], left: number, gateway: PluginGateway): number {
  let [done, all] = [0, 0];
  for (const part of parts) {
    const weight = weightOf(part, gateway);
    all += weight;
    done += weight * (ENDED.has(part.status) ? 100 : part.progress.percentage ?? 0) / 100;
  }
  const ofLeft = left * all / parts.length;
  return all === 0 ? 0 : Math.round((done + ofLeft) / (all + ofLeft) * 10_000) / 100;
}

/** What a task counts as within its group. */
function weightOf(task: TaskStatusData, gateway: PluginGateway, depth = 0): number {
  const parts = depth < MAX_DEPTH ? partsOf(task, gateway) : [];
  if (parts.length === 0) return task.progress.total ?? 1;
  return parts.reduce((sum, part) => sum + weightOf(part, gateway, depth + 1), 0);
}
