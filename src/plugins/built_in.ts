import type { Authenticator } from "../access/authenticator.ts";
import { CHANNELS, TASKS } from "../channel/built_in.ts";
import type { Namespaces } from "../channel/namespaces.ts";
import { auth } from "../messages/auth.ts";
import { cancelTask } from "../messages/cancel_task.ts";
import { getHistory } from "../messages/get_history.ts";
import { getTask } from "../messages/get_task.ts";
import { getTasks } from "../messages/get_tasks.ts";
import { ping } from "../messages/ping.ts";
import { publish } from "../messages/publish.ts";
import { subscribe } from "../messages/subscribe.ts";
import { unsubscribe } from "../messages/unsubscribe.ts";
import type { Publishing } from "../projection/publishing.ts";
import type { TaskQueries } from "../projection/queries.ts";
import type { VisibleTasks } from "../projection/visible_tasks.ts";
import type { Partition } from "../protocol/partitions.ts";
import { definePlugin, type Plugin } from "./plugin.ts";

/** What the built-in message types ask. */
export type Asked = {
  readonly queries: TaskQueries;
  readonly tasks: VisibleTasks;
  readonly gate: Authenticator;
  readonly publishing: Publishing;
  readonly namespaces: Namespaces;
  /** The part of the tasks that is known here, where channels are nowhere. Default: all of them. */
  readonly partition?: Partition | undefined;
};

/** What every gateway has: connections, tasks and channels, each as a plug-in is. */
export function builtIn(
  { queries, tasks, gate, publishing, namespaces, partition }: Asked,
): readonly Plugin[] {
  return [
    definePlugin({
      name: "connections",
      types: [ping(), auth(gate), subscribe(queries, namespaces, partition), unsubscribe()],
    }),
    definePlugin({
      name: "tasks",
      namespaces: [TASKS],
      types: [getTask(tasks), getTasks(tasks), getHistory(tasks), cancelTask(tasks)],
    }),
    definePlugin({
      name: "channels",
      namespaces: partition === undefined ? CHANNELS : [],
      types: [publish(publishing)],
    }),
  ];
}
