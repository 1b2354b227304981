import type { Access } from "../access/access.ts";
import { noSuchTask, refusalOf } from "../access/may.ts";
import type { TaskNames } from "../access/scope.ts";
import type { At, TaskQuery } from "../protocol/client_frames.ts";
import type { TaskId } from "../protocol/names.ts";
import { otherPartition, type Partition } from "../protocol/partitions.ts";
import type { AsOf, Refused, ServerData, TaskPage, TaskStatusData } from "../protocol/server_frames.ts";
import type { Cancels } from "./cancels.ts";
import type { PastQueries } from "./past_queries.ts";
import type { TaskQueries } from "./queries.ts";
import type { Turns } from "./turns.ts";

/** Who answers once it was decided that somebody may ask. */
export type Asked = {
  readonly queries: TaskQueries;
  readonly past: PastQueries;
  readonly cancels: Cancels;
  /** Whose turn it is to read the past. */
  readonly turns: Turns;
  /** The part of the tasks that is known here. Default: all of them. */
  readonly partition?: Partition | undefined;
};

/** A page of the tasks, as they are or as they were. */
export type Listing = (TaskPage & { readonly at?: AsOf }) | Refused;

/** A page of a task's events, as they were written. */
export type HistoryPage = ServerData["task_history"];

/**
 * What can be asked about tasks, and of them, by whoever has some access: the same on a socket and over HTTP. What may not be
 * seen is not there. Rejects with a LogError.
 */
export class VisibleTasks {
  readonly #asked: Asked;

  constructor(asked: Asked) {
    this.#asked = asked;
  }

  /** The whole of one task, ended ones too, as it is or as it was. */
  async task(access: Access, taskId: TaskId, at?: At): Promise<TaskStatusData | Refused> {
    const forbidden = refusalOf(access, { right: "subscribe" });
    if (forbidden !== undefined) return { refused: forbidden };
    const elsewhere = this.#elsewhere(taskId);
    if (elsewhere !== undefined) return elsewhere;
    return at === undefined ? await this.#now(access, taskId) : await this.#then(access, taskId, at);
  }

  /** A page of the tasks, as they are or as they were. */
  list(access: Access, query: TaskQuery): Listing | Promise<Listing> {
    const forbidden = refusalOf(access, { right: "subscribe" });
    if (forbidden !== undefined) return { refused: forbidden };
    const { queries, past } = this.#asked;
    const scoped = access.scope.hasEveryTask ? query : { ...query, scope: access.scope };
    return query.at === undefined ? queries.list(scoped) : past.list(scoped, query.at);
  }

  /** A page of one task's events: of a task that others had before, those since then. */
  async history(
    access: Access,
    taskId: TaskId,
    { afterSeq, limit }: { readonly afterSeq: number; readonly limit: number },
  ): Promise<HistoryPage | Refused> {
    const refused = await this.#refused(access, taskId, "subscribe");
    if (refused !== undefined) return refused;
    const scope = access.scope.hasEveryTask ? undefined : access.scope;
    const history = await this.#asked.queries.history({ taskId, afterSeq, limit, scope });
    return history === undefined ? { refused: noSuchTask(taskId) } : { task_id: taskId, ...history };
  }

  /** Asks whoever works on a task to stop. */
  async cancel(
    access: Access,
    taskId: TaskId,
    reason: string | null | undefined,
  ): Promise<ServerData["cancel_requested"] | Refused> {
    return await this.#refused(access, taskId, "cancel") ?? await this.#asked.cancels.request(taskId, reason);
  }

  /** That a task is of another partition, which its id alone tells: nothing is given away to who may not see it. */
  #elsewhere(taskId: TaskId): Refused | undefined {
    const { partition: own } = this.#asked;
    const other = own && otherPartition(taskId, own);
    if (own === undefined || other === undefined) return undefined;
    const message =
      `task ${taskId} is of partition ${other.partition} of ${other.partitions}, and here is ${own.partition}`;
    return { refused: { ...noSuchTask(taskId), message, details: { task_id: taskId, ...other } } };
  }

  async #now(access: Access, taskId: TaskId): Promise<TaskStatusData | Refused> {
    const found = (await this.#asked.queries.task(taskId))?.data;
    return found !== undefined && access.scope.sees(namesIn(found)) ? found : { refused: noSuchTask(taskId) };
  }

  async #then(access: Access, taskId: TaskId, at: At): Promise<TaskStatusData | Refused> {
    const absent = { ...noSuchTask(taskId), message: `no task ${taskId} at that time` };
    // Who may not see it now is not told how it was, and nothing is read for that: how long it takes would tell how much there is.
    if (await this.#refused(access, taskId, "subscribe") !== undefined) return { refused: absent };
    const told = await this.#asked.turns.run(() => this.#asked.past.task(taskId, at));
    if (told === undefined) return { refused: absent };
    if (!("refused" in told)) return access.scope.sees(namesIn(told)) ? told : { refused: absent };
    // That a task was, and is retained no longer, is for those whom its id alone would let see it.
    const tells = "task_id" in told.refused.details && !access.scope.sees({ taskId, tags: [] });
    return tells ? { refused: absent } : told;
  }

  /** Why nothing may be asked about this task; who may see every task is not looked up. */
  async #refused(
    access: Access,
    taskId: TaskId,
    right: "subscribe" | "cancel",
  ): Promise<Refused | undefined> {
    const forbidden = refusalOf(access, { right });
    if (forbidden !== undefined) return { refused: forbidden };
    const elsewhere = this.#elsewhere(taskId);
    if (elsewhere !== undefined || access.scope.hasEveryTask) return elsewhere;
    const found = await this.#asked.queries.task(taskId);
    const refused = refusalOf(access, { right, taskId, found: found && namesIn(found.data) });
    return refused && { refused };
  }
}

function namesIn({ task_id: taskId, tags }: TaskStatusData): TaskNames {
  return { taskId, tags };
}
