import type { AsOf, ServerData, TaskStatusData } from "../protocol/server_frames.ts";
import type { Clock } from "./clock.ts";
import type { Token } from "./renewal.ts";
import type { OpenSocket, WebSocketClass } from "./socket.ts";
import type { Source, TaskFilter, TasksPage } from "./source.ts";
import type { Store } from "./store.ts";
import type { TabRole, Tabs } from "./tab_sharing.ts";
import type { TaskView } from "./task_store.ts";
import type { TasksView } from "./tasks_store.ts";
import type { Transport } from "./transport.ts";

/** How a client is made. Times in ms. */
export type ClientOptions = {
  /** Asked for a token before each connection, and before the one in use expires. */
  readonly token?: Token;
  /** Names this client across its connections: 1–128 of `A-Za-z0-9._:-`. */
  readonly clientId?: string;
  /**
   * Default `websocket`. `sse` for networks that let none through: Server-Sent Events, and HTTP for requests. `auto`
   * takes those once two WebSockets in a row were opened in vain.
   */
  readonly transport?: Transport;
  /** `shareTabs()`, of a module of its own: tabs of one origin share one connection. */
  readonly tabs?: Tabs;
  /** Where the runtime has no WebSocket of its own; or `compact()`, of a module of its own, which takes fewer bytes. */
  readonly WebSocket?: WebSocketClass;
  /** What subscriptions and stores that do not say have for `maxRateHz`: 0.1 to 50. Default: as often as something comes. */
  readonly maxRateHz?: number;
  /** Until a connection must be greeted. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Until a request must be answered, from when the gateway takes it. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** Requests that may wait while there is no connection. Default 1,024. */
  readonly maxWaiting?: number;
  /** The first wait after a lost connection is at most this, default 500; the longest at most `longestWaitMs`. */
  readonly firstWaitMs?: number;
  /** Default 30,000. */
  readonly longestWaitMs?: number;
  /** For tests: another time, other luck, other sockets. */
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly open?: OpenSocket;
};

/** A point of the past: a position of the stream, or a time (RFC 3339, or ms since the epoch). */
export type At = { readonly seq: number } | { readonly time: string | number };

/** A connection to a gateway that outlives networks, gateways and tabs put to sleep. */
export interface Client extends Source {
  /** Whose connection it uses: its own, its own that other tabs share, or another tab's. */
  readonly tab: TabRole;
  /** One task, as a store. */
  task(id: string): Store<TaskView>;
  /** Tasks that fit a filter, the newest first, as a store. */
  tasks(filter?: TaskFilter): Store<TasksView>;
  /** One task as it is; as it was at `at`. Rejects with {@link ClientError} `TASK_NOT_FOUND`, among others. */
  getTask(id: string, options?: { readonly at?: At }): Promise<TaskStatusData & { readonly at?: AsOf }>;
  /** A page of the tasks that fit. */
  getTasks(
    query?: TaskFilter & { readonly limit?: number; readonly page?: number; readonly at?: At },
  ): Promise<TasksPage>;
  /** A page of a task's events as they were written. */
  getHistory(
    id: string,
    options?: { readonly afterSeq?: number; readonly limit?: number },
  ): Promise<ServerData["task_history"]>;
  /** Asks a task to stop; resolves with the position of that request when it is in the log. */
  cancel(id: string, reason?: string): Promise<{ readonly task_id: string; readonly seq: number }>;
  /** Publishes a value, any JSON, to a channel; resolves with its position when it is in the log. */
  publish(
    topic: string,
    payload: unknown,
    key?: string,
  ): Promise<{ readonly topic: string; readonly seq: number }>;
  /**
   * Asks what a plug-in of the gateway answers, by the type of its messages; what is undefined in `data` is not sent. Over a
   * WebSocket alone. After a lost connection it is asked again.
   */
  ask<T>(type: string, data: Readonly<Record<string, unknown>>): Promise<T>;
  /** Ends it for good. What still waits for an answer is rejected. */
  close(): void;
}
