import type { VisibleTasks } from "../projection/visible_tasks.ts";
import { GetHistoryData } from "../protocol/client_frames.ts";
import { answer, defineMessage, type MessageType } from "./message_type.ts";

/** `get_history`: a page of one task's events, as they were written. */
export function getHistory(tasks: VisibleTasks): MessageType<typeof GetHistoryData> {
  return defineMessage({
    type: "get_history",
    schema: GetHistoryData,
    cost: 5,
    answeredBy: "task_history",
    async handle({ task_id: taskId, after_seq: afterSeq, limit }, { access }) {
      const told = await tasks.history(access, taskId, { afterSeq, limit });
      return answer(told, (data) => ({ kind: "reply", type: "task_history", data }));
    },
  });
}
