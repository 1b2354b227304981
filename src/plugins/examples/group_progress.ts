/**
 * The progress of a group: a task with children moves as they do. Each child counts as its `total` (as 1 where that is not
 * known), so that large ones weigh more; one that has parts itself counts as they do. Those count that carry all tags of their
 * parent: so whoever may not write under its tags does not move it. A parent without tags is moved by whoever names it. Whoever
 * works on the parent says no progress of it, not even a heartbeat (`connectWorker(url, { heartbeatMs: 0 })`).
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
/** So many are told at once. */
const AT_A_TIME = 100;
/** After so long of looking at them, ms, everybody else has a turn. */
const TURN_MS = 20;

/** So many parts are remembered that have ended, and of so many is known whose they are. */
const MOST_PARTS = 100_000;

/** A part that has ended, as it counts. */
type Ended = { readonly weight: number; readonly isFailed: boolean };

/** What counts for a group beyond what is in memory: parts that have ended may leave it. */
type Beyond = {
  readonly ended: Map<string, Ended>;
  /** How many had left before, by what the group said itself. */
  readonly before: { readonly completed: number; readonly failed: number };
};

/** The groups of a gateway. */
class Groups {
  /** Those of which a part has changed, and by which event last where that is known. */
  readonly changed = new Map<string, number | undefined>();
  readonly #gateway: PluginGateway;
  readonly #beyond = new Map<string, Beyond>();
  readonly #parentOf = new Map<string, string>();
  #ended = 0;

  constructor(gateway: PluginGateway) {
    this.#gateway = gateway;
  }

  /** Something was said of a task: its group changes, and the one that it was of before. */
  note(taskId: string, seq: number): void {
    const task = this.#gateway.task(taskId);
    if (task === undefined) return;
    const parentId = task.parent_id === taskId ? undefined : task.parent_id ?? undefined;
    const former = this.#parentOf.get(taskId);
    for (const id of [parentId, former]) if (id !== undefined) this.changed.set(id, seq);
    this.#parentOf.delete(taskId);
    if (parentId === undefined) return;
    this.#parentOf.set(taskId, parentId);
    for (const oldest of this.#parentOf.keys()) {
      if (this.#parentOf.size <= MOST_PARTS) break;
      this.#parentOf.delete(oldest);
    }
    // It may have left memory when its group is summed up.
    const beyond = this.#beyond.get(parentId);
    if (beyond !== undefined && isPartOf(task, this.#gateway.task(parentId))) this.#remember(beyond, task);
  }

  /**
   * Sums up those that have changed, and tells it of so many at once: what they come back as is when the rest has its turn, so that
   * no call takes as long as all of them.
   */
  async sumUp(): Promise<void> {
    const telling: Promise<unknown>[] = [];
    const failures: unknown[] = [];
    let sinceMs = performance.now();
    for (const [id, at] of this.changed) {
      if (performance.now() - sinceMs > TURN_MS) {
        // Everybody else has a turn.
        await new Promise((resolve) => setTimeout(resolve, 0));
        sinceMs = performance.now();
      }
      const isDone = () => this.changed.get(id) === at && this.changed.delete(id);
      const told = this.#tell(id, at === undefined ? {} : { eventId: `group ${at}` });
      if (told === undefined) isDone();
      else if (telling.push(told.then(isDone, (error) => failures.push(error))) === AT_A_TIME) break;
    }
    await Promise.all(telling);
    if (failures.length > 0) throw failures[0];
  }

  /** Says how far a group is; undefined where there is nothing to say. */
  #tell(parentId: string, named: { readonly eventId?: string }): Promise<unknown> | undefined {
    const parent = this.#gateway.task(parentId);
    if (parent === undefined || ENDED.has(parent.status)) return undefined;
    const parts = partsOf(parent, this.#gateway);
    if (parts.length === 0) return undefined;
    const { progress } = parent;
    const { total, completed, failed, percentage } = this.#sumOf(parent, parts);
    const isKnown = progress.percentage === percentage && progress.total === total &&
      progress.completed === completed && progress.failed === failed;
    if (isKnown) return undefined;
    const current = currentOf(completed + failed, total);
    const body = { attempt: parent.attempt, total, completed, failed, percentage, current };
    return this.#gateway.append(parentId, "progress", body, named);
  }

  /**
   * How far a group is by its parts: those in memory, those that left it, and those that had left it before this gateway looked, of
   * which the weights are forgotten: they count as the others do on average, and the bar does not go back for it.
   */
  #sumOf(parent: TaskStatusData, parts: readonly TaskStatusData[]): Sum {
    const beyond = this.#beyondOf(parent, parts);
    for (const part of parts) this.#remember(beyond, part);
    for (const id of beyond.ended.keys()) {
      const task = this.#gateway.task(id);
      if (task !== undefined && !isPartOf(task, parent)) this.#forget(beyond, id);
    }
    const ended = [...beyond.ended.values()];
    let [done, all] = [0, 0];
    for (const { weight } of ended) [done, all] = [done + weight, all + weight];
    for (const part of parts) {
      if (ENDED.has(part.status)) continue;
      const weight = weightOf(part, this.#gateway);
      done += weight * (part.progress.percentage ?? 0) / 100;
      all += weight;
    }
    const underWay = parts.filter(({ status }) => !ENDED.has(status)).length;
    const before = beyond.before.completed + beyond.before.failed;
    const ofThose = before * all / (ended.length + underWay);
    const percentage = all === 0 ? 0 : Math.round((done + ofThose) / (all + ofThose) * 10_000) / 100;
    const failed = ended.filter(({ isFailed }) => isFailed).length;
    return {
      total: ended.length + underWay + before,
      completed: ended.length - failed + beyond.before.completed,
      failed: failed + beyond.before.failed,
      percentage: before === 0 ? percentage : Math.max(percentage, saidItself(parent)?.percentage ?? 0),
    };
  }

  #beyondOf(parent: TaskStatusData, parts: readonly TaskStatusData[]): Beyond {
    const known = this.#beyond.get(parent.task_id);
    if (known !== undefined) return known;
    const said = saidItself(parent);
    const left = Math.max(0, (said?.total ?? 0) - parts.length);
    const failedNow = parts.filter((part) => isFailed(part)).length;
    const failed = Math.min(left, Math.max(0, (said?.failed ?? 0) - failedNow));
    const beyond = { ended: new Map<string, Ended>(), before: { completed: left - failed, failed } };
    this.#beyond.set(parent.task_id, beyond);
    return beyond;
  }

  #remember(beyond: Beyond, part: TaskStatusData): void {
    if (!ENDED.has(part.status)) return this.#forget(beyond, part.task_id);
    if (!beyond.ended.has(part.task_id)) this.#ended++;
    beyond.ended.set(part.task_id, { weight: weightOf(part, this.#gateway), isFailed: isFailed(part) });
    for (const [id, oldest] of this.#beyond) {
      if (this.#ended <= MOST_PARTS || oldest === beyond) break;
      this.#ended -= oldest.ended.size;
      this.#beyond.delete(id); // what it said itself goes for it again
    }
  }

  #forget(beyond: Beyond, id: string): void {
    if (beyond.ended.delete(id)) this.#ended--;
  }
}

const groupsOf = new WeakMap<PluginGateway, Groups>();

function groups(gateway: PluginGateway): Groups {
  const known = groupsOf.get(gateway) ?? new Groups(gateway);
  groupsOf.set(gateway, known);
  return known;
}

export default definePlugin({
  name: "group_progress",
  // What ended while nobody listened moves no group by itself.
  async onStart(gateway) {
    const all = groups(gateway);
    for (const id of gateway.parents()) if (!all.changed.has(id)) all.changed.set(id, undefined);
    await all.sumUp();
  },
  async onPublish({ taskId, seq, waiting }, gateway) {
    const all = groups(gateway);
    const { changed } = all;
    if (taskId !== undefined) all.note(taskId, seq);
    // All parts are looked at for it: not at each event where there are many.
    if (waiting > 0 && changed.size < MOST_GROUPS) return;
    await all.sumUp();
  },
});

/** How far a group is. */
type Sum = {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  /** 0–100 with two decimals. */
  readonly percentage: number;
};

function currentOf(ended: number, total: number): string {
  return `${ended} of ${total} parts`;
}

/** What was said here of a group; undefined where its last progress is its worker's, or there was none in this attempt. */
function saidItself({ progress, attempt }: TaskStatusData): Sum | undefined {
  if (progress.attempt !== attempt) return undefined;
  const { total, completed, failed, percentage, current } = progress;
  if (!isNumber(total) || !isNumber(completed) || !isNumber(failed) || !isNumber(percentage)) {
    return undefined;
  }
  if (current !== currentOf(completed + failed, total)) return undefined;
  return { total, completed, failed, percentage };
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function isFailed({ status }: TaskStatusData): boolean {
  return status === "failed" || status === "cancelled";
}

/** Whether a task counts for another. */
function isPartOf(part: TaskStatusData, parent: TaskStatusData | undefined): boolean {
  return parent !== undefined && part.parent_id === parent.task_id && part.task_id !== parent.task_id &&
    parent.tags.every((tag) => part.tags.includes(tag));
}

/** The tasks in memory that count for one. */
function partsOf(task: TaskStatusData, gateway: PluginGateway): readonly TaskStatusData[] {
  return gateway.childrenOf(task.task_id).filter((child) => isPartOf(child, task));
}

/** What a task counts as within its group. */
function weightOf(task: TaskStatusData, gateway: PluginGateway, depth = 0): number {
  const parts = depth < MAX_DEPTH ? partsOf(task, gateway) : [];
  if (parts.length === 0) return task.progress.total ?? 1;
  return parts.reduce((sum, part) => sum + weightOf(part, gateway, depth + 1), 0);
}
