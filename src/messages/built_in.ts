import type { Authenticator } from "../access/authenticator.ts";
import type { TaskQueries } from "../projection/queries.ts";
import type { Namespaces } from "../channel/namespaces.ts";
import type { Publishing } from "../projection/publishing.ts";
import type { VisibleTasks } from "../projection/visible_tasks.ts";
import type { Partition } from "../protocol/partitions.ts";
import { auth } from "./auth.ts";
import { cancelTask } from "./cancel_task.ts";
import { getHistory } from "./get_history.ts";
import { getTask } from "./get_task.ts";
import { getTasks } from "./get_tasks.ts";
import type { MessageRegistry } from "./message_registry.ts";
import { ping } from "./ping.ts";
import { publish } from "./publish.ts";
import { subscribe } from "./subscribe.ts";
import { unsubscribe } from "./unsubscribe.ts";

/** What the built-in message types ask. */
export type Asked = {
  readonly queries: TaskQueries;
  readonly tasks: VisibleTasks;
  readonly gate: Authenticator;
  readonly publishing: Publishing;
  readonly namespaces: Namespaces;
  /** The part of the tasks that is known here. Default: all of them. */
  readonly partition?: Partition | undefined;
};

/** Registers the client message types that every gateway has. */
export function registerBuiltIn(
  registry: MessageRegistry,
  { queries, tasks, gate, publishing, namespaces, partition }: Asked,
): void {
  registry.register(ping());
  registry.register(subscribe(queries, namespaces, partition));
  registry.register(unsubscribe());
  registry.register(getTask(tasks));
  registry.register(getTasks(tasks));
  registry.register(getHistory(tasks));
  registry.register(cancelTask(tasks));
  registry.register(publish(publishing));
  registry.register(auth(gate));
}
