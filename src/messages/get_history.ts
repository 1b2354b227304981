import type { TaskQueries } from "../projection/queries.ts";
import { GetHistoryData } from "../protocol/client_frames.ts";
import { defineMessage, type MessageType, refuse } from "./message_type.ts";

/** `get_history`: a page of one task's events, as they were written. */
export function getHistory(queries: TaskQueries): MessageType<typeof GetHistoryData> {
  return defineMessage({
    type: "get_history",
    schema: GetHistoryData,
    cost: 5,
    async handle({ task_id: taskId, after_seq: afterSeq, limit }) {
      const history = await queries.history(taskId, afterSeq, limit);
      if (history === undefined) return refuse("TASK_NOT_FOUND", `no task ${taskId}`, { task_id: taskId });
      return { kind: "reply", type: "task_history", data: { task_id: taskId, ...history } };
    },
  });
}
