import type { TaskQueries } from "../projection/queries.ts";
import { GetTasksData } from "../protocol/client_frames.ts";
import { defineMessage, type MessageType } from "./message_type.ts";

/** `get_tasks`: a page of the task list. */
export function getTasks(queries: TaskQueries): MessageType<typeof GetTasksData> {
  return defineMessage({
    type: "get_tasks",
    schema: GetTasksData,
    cost: 5,
    handle: (data) => ({ kind: "reply", type: "task_list", data: queries.list(data) }),
  });
}
