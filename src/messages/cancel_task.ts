import type { VisibleTasks } from "../projection/visible_tasks.ts";
import { CancelTaskData } from "../protocol/client_frames.ts";
import { answer, defineMessage, type MessageType } from "./message_type.ts";

/** `cancel_task`: asks whoever works on a task to stop. */
export function cancelTask(tasks: VisibleTasks): MessageType<typeof CancelTaskData> {
  return defineMessage({
    type: "cancel_task",
    schema: CancelTaskData,
    cost: 1,
    answeredBy: "cancel_requested",
    async handle({ task_id: taskId, reason }, { access }) {
      const told = await tasks.cancel(access, taskId, reason);
      return answer(told, (data) => ({ kind: "reply", type: "cancel_requested", data }));
    },
  });
}
