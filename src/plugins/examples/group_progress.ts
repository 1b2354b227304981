/**
 * The progress of a group: a task with children moves as they do. Each child counts as its `total` (as 1 where that is not
 * known), so that large ones weigh more.
 *
 *     PLUGINS=src/plugins/examples/group_progress.ts deno task start
 *
 * Every gateway of a log does this; each says the same under the same id, and the log takes it once.
 */
import type { TaskStatusData } from "../../protocol/server_frames.ts";
import { definePlugin } from "../plugin.ts";

const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);

export default definePlugin({
  name: "group_progress",
  async onPublish({ taskId, seq }, gateway) {
    const parentId = taskId === undefined ? undefined : gateway.task(taskId)?.parent_id ?? undefined;
    if (parentId === undefined || parentId === taskId) return;
    const parent = gateway.task(parentId);
    if (parent !== undefined && ENDED.has(parent.status)) return;
    const children = gateway.childrenOf(parentId);
    const percentage = shareOf(children);
    if (parent?.progress.percentage === percentage && parent.progress.total === children.length) return;
    const completed = children.filter(({ status }) => status === "completed").length;
    const failed = children.filter(({ status }) => status === "failed" || status === "cancelled").length;
    const body = {
      attempt: parent?.attempt ?? 1,
      total: children.length,
      completed,
      failed,
      percentage,
      current: `${completed + failed} of ${children.length} parts`,
    };
    await gateway.append(parentId, "progress", body, { eventId: `group ${seq}` });
  },
});

/** The share of all children that is done, 0–100 with two decimals, each by its weight. */
function shareOf(children: readonly TaskStatusData[]): number {
  let [done, all] = [0, 0];
  for (const { status, progress } of children) {
    const weight = progress.total ?? 1;
    all += weight;
    done += weight * (ENDED.has(status) ? 100 : progress.percentage ?? 0) / 100;
  }
  return all === 0 ? 0 : Math.round(done / all * 10_000) / 100;
}
