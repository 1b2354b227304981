import type { TaskQueries } from "../projection/queries.ts";
import { getHistory } from "./get_history.ts";
import { getTask } from "./get_task.ts";
import { getTasks } from "./get_tasks.ts";
import type { MessageRegistry } from "./message_registry.ts";
import { ping } from "./ping.ts";
import { subscribe } from "./subscribe.ts";
import { unsubscribe } from "./unsubscribe.ts";

/** Registers the client message types that every gateway has. */
export function registerBuiltIn(registry: MessageRegistry, queries: TaskQueries): void {
  registry.register(ping());
  registry.register(subscribe(queries));
  registry.register(unsubscribe());
  registry.register(getTask(queries));
  registry.register(getTasks(queries));
  registry.register(getHistory(queries));
}
