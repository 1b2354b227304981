import type { TaskQueries } from "../projection/queries.ts";
import { GetTaskData } from "../protocol/client_frames.ts";
import { defineMessage, type MessageType, refuse } from "./message_type.ts";

/** `get_task`: the whole of one task, ended ones too. */
export function getTask(queries: TaskQueries): MessageType<typeof GetTaskData> {
  return defineMessage({
    type: "get_task",
    schema: GetTaskData,
    cost: 1,
    async handle(data) {
      const task = await queries.task(data.task_id);
      if (task === undefined) {
        return refuse("TASK_NOT_FOUND", `no task ${data.task_id}`, { task_id: data.task_id });
      }
      return { kind: "reply", type: "task_status", data: task.data };
    },
  });
}
