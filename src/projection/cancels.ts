import type { Appended, NewEntry } from "../log/event_log.ts";
import type { TaskId } from "../protocol/names.ts";
import type { Refused } from "../protocol/server_frames.ts";
import type { TaskState } from "../task/fold.ts";
import { isTerminal, statusOf } from "../task/task.ts";
import { eventSubject } from "../task/worker_event.ts";
import type { Projection } from "./projection.ts";

/** Appends to the log; rejects with a LogError. */
export type Append = (entries: readonly NewEntry[]) => Promise<readonly Appended[]>;

const encoder = new TextEncoder();

/** Asks workers, by way of the log, to stop. */
export class Cancels {
  readonly #projection: Projection;
  readonly #append: Append;

  constructor(projection: Projection, append: Append) {
    this.#projection = projection;
    this.#append = append;
  }

  /**
   * Requests that the task's present attempt be cancelled; the answer tells where the request lies. A request that stands
   * already is not made again. Refused where there is no such task, or it has ended. Rejects with a LogError.
   */
  async request(
    taskId: TaskId,
    reason: string | null | undefined,
  ): Promise<{ readonly task_id: TaskId; readonly seq: number } | Refused> {
    const state = await this.#stateOf(taskId);
    if (state === undefined) {
      return {
        refused: { code: "TASK_NOT_FOUND", message: `no task ${taskId}`, details: { task_id: taskId } },
      };
    }
    const status = statusOf(state);
    if (isTerminal(status)) {
      const message = `task ${taskId} has ended: ${status}`;
      return { refused: { code: "INVALID_MESSAGE", message, details: { task_id: taskId, status } } };
    }
    const { kind, attempt, seq } = state.top;
    if (kind === "cancel_requested") return { task_id: taskId, seq };
    const body = { attempt, ...(reason === undefined || reason === null ? {} : { reason }) };
    const [appended] = await this.#append([{
      subject: eventSubject(taskId, "cancel_requested"),
      body: encoder.encode(JSON.stringify(body)),
      // No event of a worker can have this id: there is a space in it.
      id: `${taskId} cancel ${attempt}`,
    }]);
    if (appended === undefined) throw new Error("the log says nothing of what it appended");
    return { task_id: taskId, seq: appended.seq };
  }

  async #stateOf(taskId: TaskId): Promise<TaskState | undefined> {
    const { tasks } = this.#projection;
    const known = tasks.get(taskId)?.state;
    if (known !== undefined || !tasks.mayBeEvicted(taskId)) return known;
    return (await this.#projection.stateFromLog(taskId))?.state;
  }
}
