import type { HistoryEvent, TaskStatusData } from "../protocol/server_frames.ts";
import { ClientError } from "./client_error.ts";
import type { At, Client, ClientOptions } from "./client_interface.ts";
import type { ConnectionState } from "./connection_state.ts";
import { LiveClient } from "./live_client.ts";
import type { Source, SubscribeOptions, Subscription, TaskFilter, TasksPage } from "./source.ts";
import type { Store } from "./store.ts";
import type { TabRole, Tabs } from "./tab_sharing.ts";
import type { PushedFrame, Replay } from "./watch.ts";
import type { TaskView } from "./task_store.ts";
import type { TasksView } from "./tasks_store.ts";
import type { Transport } from "./transport.ts";

/** All that whoever uses a client may have to name. */
export type {
  At,
  Client,
  ClientOptions,
  ConnectionState,
  HistoryEvent,
  PushedFrame,
  Replay,
  Source,
  Store,
  SubscribeOptions,
  Subscription,
  TabRole,
  Tabs,
  TaskFilter,
  TasksPage,
  TaskStatusData,
  TasksView,
  TaskView,
  Transport,
};
export { ClientError };

/** Connects to a gateway: `ws(s)://…/ws`, or `http(s)://…` of it. It never throws: a gateway that is away is waited for. */
export function connect(url: string | URL, options: ClientOptions = {}): Client {
  return new LiveClient(socketUrl(url), options);
}

function socketUrl(url: string | URL): URL {
  const given = new URL(url, globalThis.location?.href);
  given.protocol = given.protocol.replace(/^http/, "ws");
  if (given.pathname === "/") given.pathname = "/ws";
  return given;
}
