import type { Cancels } from "../projection/cancels.ts";
import type { PastQueries } from "../projection/past_queries.ts";
import type { TaskQueries } from "../projection/queries.ts";
import { cancelTask } from "./cancel_task.ts";
import { getHistory } from "./get_history.ts";
import { getTask } from "./get_task.ts";
import { getTasks } from "./get_tasks.ts";
import type { MessageRegistry } from "./message_registry.ts";
import { ping } from "./ping.ts";
import { subscribe } from "./subscribe.ts";
import { unsubscribe } from "./unsubscribe.ts";

/** What the built-in message types ask. */
export type Asked = {
  readonly queries: TaskQueries;
  readonly past: PastQueries;
  readonly cancels: Cancels;
};

/** Registers the client message types that every gateway has. */
export function registerBuiltIn(registry: MessageRegistry, { queries, past, cancels }: Asked): void {
  registry.register(ping());
  registry.register(subscribe(queries));
  registry.register(unsubscribe());
  registry.register(getTask(queries, past));
  registry.register(getTasks(queries, past));
  registry.register(getHistory(queries));
  registry.register(cancelTask(cancels));
}
