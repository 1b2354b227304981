/**
 * The progress of a group: a task with children moves as they do. Each child counts as its `total` (as 1 where that is not
 * known), so that large ones weigh more; one that has parts itself counts as they do. Those count that carry all tags of their parent: so whoever may not write under its
 * tags does not move it. A parent without tags is moved by whoever names it. Whoever works on the parent says no progress of it,
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

/** Groups of which a part has changed, and by which event last. */
const changedOf = new WeakMap<PluginGateway, Map<string, number>>();

export default definePlugin({
  name: "group_progress",
  async onPublish({ taskId, seq, waiting }, gateway) {
    const changed = changedOf.get(gateway) ?? new Map<string, number>();
    changedOf.set(gateway, changed);
    const parentId = taskId === undefined ? undefined : gateway.task(taskId)?.parent_id ?? undefined;
    if (parentId !== undefined && parentId !== taskId) changed.set(parentId, seq);
    // All parts are looked at for it: not at each event where there are many.
    if (waiting > 0 && changed.size < MOST_GROUPS) return;
    for (const [id, at] of changed) {
      await sumUp(id, at, gateway);
      changed.delete(id);
    }
  },
});

async function sumUp(parentId: string, seq: number, gateway: PluginGateway): Promise<void> {
  const parent = gateway.task(parentId);
  if (parent === undefined || ENDED.has(parent.status)) return;
  const parts = partsOf(parent, gateway);
  const percentage = shareOf(parts, gateway);
  const { progress } = parent;
  if (parts.length === 0) return;
  const completed = parts.filter(({ status }) => status === "completed").length;
  const failed = parts.filter(({ status }) => status === "failed" || status === "cancelled").length;
  const isKnown = progress.percentage === percentage && progress.total === parts.length &&
    progress.completed === completed && progress.failed === failed;
  if (isKnown) return;
  const current = `${completed + failed} of ${parts.length} parts`;
  const body = { attempt: parent.attempt, total: parts.length, completed, failed, percentage, current };
  await gateway.append(parentId, "progress", body, { eventId: `group ${seq}` });
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

/** The share of all parts that is done, 0–100 with two decimals, each by its weight. */
function shareOf(parts: readonly TaskStatusData[], gateway: PluginGateway): number {
  let [done, all] = [0, 0];
  for (const part of parts) {
    const weight = weightOf(part, gateway);
    all += weight;
    done += weight * (ENDED.has(part.status) ? 100 : part.progress.percentage ?? 0) / 100;
  }
  return all === 0 ? 0 : Math.round(done / all * 10_000) / 100;
}

/** What a task counts as within its group. */
function weightOf(task: TaskStatusData, gateway: PluginGateway, depth = 0): number {
  const parts = depth < MAX_DEPTH ? partsOf(task, gateway) : [];
  if (parts.length === 0) return task.progress.total ?? 1;
  return parts.reduce((sum, part) => sum + weightOf(part, gateway, depth + 1), 0);
}
