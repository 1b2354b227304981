import type { VisibleTasks } from "../projection/visible_tasks.ts";
import { GetTaskData } from "../protocol/client_frames.ts";
import { answer, defineMessage, type MessageType } from "./message_type.ts";

/** `get_task`: the whole of one task, ended ones too, as it is or as it was. */
export function getTask(tasks: VisibleTasks): MessageType<typeof GetTaskData> {
  return defineMessage({
    type: "get_task",
    schema: GetTaskData,
    cost: 1,
    answeredBy: "task_status",
    async handle({ task_id: taskId, at }, { access }) {
      const told = await tasks.task(access, taskId, at);
      return answer(told, (data) => ({ kind: "reply", type: "task_status", data }));
    },
  });
}
