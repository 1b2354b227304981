import { partitionOf } from "../protocol/partitions.ts";
import { parseTopic } from "../protocol/topics.ts";
import { type Client, type ClientOptions, connect } from "./client.ts";
import { systemClock } from "./clock.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { Source, SubscribeOptions, Subscription, TaskFilter, TasksPage } from "./source.ts";
import type { Store } from "./store.ts";
import { Stores } from "./stores.ts";
import { filterKey, tasksStore, type TasksView } from "./tasks_store.ts";
import type { PushedFrame } from "./watch.ts";

export { partitionOf };

/** Gateways that follow a partition each, used as if they were one. */
export interface Partitions
  extends Source, Pick<Client, "task" | "getTask" | "getHistory" | "cancel" | "close"> {
  /** The client of each partition. */
  readonly clients: readonly Client[];
  /** The client of the partition that a task is of. */
  of(taskId: string): Client;
  /** Tasks of all partitions that fit a filter, as a store. */
  tasks(filter?: TaskFilter): Store<TasksView>;
}

/**
 * Connects to a gateway of each partition: `urls[2]` is where partition 2 is served. What is about one task goes to the
 * gateway that knows it, all else to all of them.
 *
 * Frames of one task come in order; those of tasks of two partitions come in no order, and their `seq` count different
 * streams.
 */
export function connectPartitions(
  urls: readonly (string | URL)[],
  options: Omit<ClientOptions, "tabs"> = {},
): Partitions {
  if (urls.length === 0) throw new RangeError("Cannot connect to no partition: urls is empty");
  return new PartitionedClient(urls.map((url) => connect(url, options)), options);
}

/** The most that a gateway gives of a page. */
const MOST_OF_A_PAGE = 1_000;
const PAGE = 100;

class PartitionedClient implements Partitions {
  readonly clients: readonly Client[];
  readonly #clock;
  readonly #stores = new Stores();

  constructor(clients: readonly Client[], { clock = systemClock }: Pick<ClientOptions, "clock">) {
    this.clients = clients;
    this.#clock = clock;
  }

  of(taskId: string): Client {
    const client = this.clients[partitionOf(taskId, this.clients.length)];
    if (client === undefined) throw new RangeError("the partition of a task is one of those there are");
    return client;
  }

  get state(): ConnectionState {
    return leastOf(this.clients.map(({ state }) => state));
  }

  onState(listener: (state: ConnectionState) => void): () => void {
    let told = this.state.kind;
    const ends = this.clients.map((client) =>
      client.onState(() => {
        const { state } = this;
        if (state.kind === told) return;
        told = state.kind;
        listener(state);
      })
    );
    return () => ends.forEach((end) => end());
  }

  subscribe(
    topics: string | readonly string[],
    onFrame: (frame: PushedFrame) => void,
    options: SubscribeOptions = {},
  ): Subscription {
    const wanted = [topics].flat();
    const { onLive } = options;
    const live = new Map<Client, boolean>();
    let wasLive: boolean | undefined;
    const parts = this.clients.flatMap((client) => {
      const own = wanted.filter((topic) => this.#serves(client, topic));
      if (own.length === 0) return [];
      live.set(client, false);
      return [{ client, own }];
    });
    const subscriptions = parts.map(({ client, own }) =>
      client.subscribe(own, onFrame, {
        ...options,
        onLive: (isLive) => {
          live.set(client, isLive);
          const areLive = [...live.values()].every(Boolean);
          if (areLive === wasLive || (!areLive && wasLive === undefined)) return;
          wasLive = areLive;
          onLive?.(areLive);
        },
      })
    );
    return { unsubscribe: () => subscriptions.forEach(({ unsubscribe }) => unsubscribe()) };
  }

  /** A page of each partition at once: the newest first within it, and from page to page about so. */
  async getTasks(
    query: TaskFilter & { readonly limit?: number; readonly page?: number } = {},
  ): Promise<TasksPage> {
    const { limit = PAGE } = query;
    let { page = 1 } = query;
    let share = Math.min(Math.max(1, Math.floor(limit / this.clients.length)), MOST_OF_A_PAGE);
    for (;;) {
      const pages = await Promise.all(
        this.clients.map((client) => client.getTasks({ ...query, limit: share, page })),
      );
      // Pages of one number have to be of one size, or some tasks would be on none. A smaller one begins where it did.
      const least = Math.min(...pages.map(({ limit = share }) => limit));
      if (least === share) return merged(pages, { share: share * this.clients.length, limit });
      page = (page - 1) * (share / least) + 1;
      share = least;
    }
  }

  task: Client["task"] = (id) => this.of(id).task(id);
  getTask: Client["getTask"] = (id, options) => this.of(id).getTask(id, options);
  getHistory: Client["getHistory"] = (id, options) => this.of(id).getHistory(id, options);
  /** Where tasks are partitioned there are no channels: every gateway refuses it. */
  publish: Client["publish"] = (topic, payload, key) => this.of("").publish(topic, payload, key);
  cancel: Client["cancel"] = (id, reason) => this.of(id).cancel(id, reason);

  tasks(filter: TaskFilter = {}): Store<TasksView> {
    return this.#stores.of(filterKey(filter), () => tasksStore(this, filter, this.#clock));
  }

  close(): void {
    for (const client of this.clients) client.close();
  }

  #serves(client: Client, text: string): boolean {
    const topic = parseTopic(text);
    return topic?.kind !== "task" || this.of(topic.taskId) === client;
  }
}

/** How the whole stands: closed where a part is, else waiting or connecting where one does, else open. */
function leastOf(states: readonly ConnectionState[]): ConnectionState {
  for (const kind of ["closed", "waiting", "connecting"] as const) {
    const found = states.find((state) => state.kind === kind);
    if (found !== undefined) return found;
  }
  return { kind: "open" };
}

function merged(
  pages: readonly TasksPage[],
  { share, limit }: { readonly share: number; readonly limit: number },
): TasksPage {
  const next = pages.flatMap(({ next_page: page }) => page ?? [])[0];
  return {
    tasks: newestFirst(pages),
    total: pages.reduce((sum, { total }) => sum + total, 0),
    ...(next === undefined ? {} : { next_page: next }),
    ...(share === limit ? {} : { limit: share }),
  };
}

/** Merged by when they were created, or begun; the order of each page stays. */
function newestFirst(pages: readonly TasksPage[]): TasksPage["tasks"] {
  const left = pages.map(({ tasks }) => [...tasks]);
  const tasks: TasksPage["tasks"][number][] = [];
  for (;;) {
    const from = left.filter((page) =>
      page.length > 0
    ).sort((one, other) => beginOf(other) - beginOf(one))[0];
    const task = from?.shift();
    if (task === undefined) return tasks;
    tasks.push(task);
  }
}

/** When the first task of a page was created, or begun, ms since the epoch; Infinity where it does not say. */
function beginOf([task]: TasksPage["tasks"]): number {
  const time = task?.created_time ?? task?.start_time ?? null;
  return time === null ? Infinity : Date.parse(time);
}
