import type { VisibleTasks } from "../projection/visible_tasks.ts";
import { GetTasksData } from "../protocol/client_frames.ts";
import type { Refused, TaskPage } from "../protocol/server_frames.ts";
import type { Outcome } from "../connection/state.ts";
import { answer, defineMessage, type MessageType } from "./message_type.ts";

/** `get_tasks`: a page of the task list, as it is or as it was. */
export function getTasks(tasks: VisibleTasks): MessageType<typeof GetTasksData> {
  return defineMessage({
    type: "get_tasks",
    schema: GetTasksData,
    cost: 5,
    answeredBy: "task_list",
    handle(query, { access }) {
      const told = tasks.list(access, query);
      return told instanceof Promise ? told.then(listed) : listed(told);
    },
  });
}

function listed(told: TaskPage | Refused): Outcome {
  return answer(told, (data) => ({ kind: "reply", type: "task_list", data }));
}
