import type { PastQueries } from "../projection/past_queries.ts";
import type { TaskQueries } from "../projection/queries.ts";
import { GetTasksData } from "../protocol/client_frames.ts";
import { answer, defineMessage, type MessageType } from "./message_type.ts";

/** `get_tasks`: a page of the task list, as it is or as it was. */
export function getTasks(queries: TaskQueries, past: PastQueries): MessageType<typeof GetTasksData> {
  return defineMessage({
    type: "get_tasks",
    schema: GetTasksData,
    cost: 5,
    handle(query) {
      if (query.at === undefined) return { kind: "reply", type: "task_list", data: queries.list(query) };
      return past.list(query, query.at)
        .then((told) => answer(told, (data) => ({ kind: "reply", type: "task_list", data })));
    },
  });
}
