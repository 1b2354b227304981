import type { PastQueries } from "../projection/past_queries.ts";
import type { TaskQueries } from "../projection/queries.ts";
import { GetTaskData } from "../protocol/client_frames.ts";
import { answer, defineMessage, type MessageType, refuse } from "./message_type.ts";

/** `get_task`: the whole of one task, ended ones too, as it is or as it was. */
export function getTask(queries: TaskQueries, past: PastQueries): MessageType<typeof GetTaskData> {
  return defineMessage({
    type: "get_task",
    schema: GetTaskData,
    cost: 1,
    async handle({ task_id: taskId, at }) {
      const told = at === undefined ? (await queries.task(taskId))?.data : await past.task(taskId, at);
      if (told === undefined) {
        const when = at === undefined ? "" : " at that time";
        return refuse("TASK_NOT_FOUND", `no task ${taskId}${when}`, { task_id: taskId });
      }
      return answer(told, (data) => ({ kind: "reply", type: "task_status", data }));
    },
  });
}
