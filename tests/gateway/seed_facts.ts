import { assert, assertEquals } from "@std/assert";
import { SeedClient, type SeedProgress, type SeedStatus } from "../seed_client.ts";

/** A gateway that a seed client connects to, and how anybody tells it of tasks. */
export type SeedWorld = {
  readonly gateway: { readonly wsUrl: string };
  readonly publish: (taskId: string, kind: string, body: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Whether other tasks move meanwhile, of which a client of all tasks hears too. */
  readonly isBusy?: boolean;
};

const COUNTERS = {
  total: 100,
  completed: 45,
  failed: 0,
  current: "处理 BTCUSDT",
  status: "Downloading 2024-01-01",
};

/** A status with its times as instants, which may be written in more than one way. */
function instants({ start_time, end_time, ...rest }: SeedStatus): unknown {
  return { ...rest, start: start_time && Date.parse(start_time), end: end_time && Date.parse(end_time) };
}

const START = Date.parse("2024-01-01T00:00:00Z");
const END = Date.parse("2024-01-01T00:10:00Z");

/** The next status of this task that is pushed. */
async function statusOf(client: SeedClient, taskId: string): Promise<SeedStatus> {
  for (;;) {
    const status = await client.status();
    if (status.task_id === taskId) return status;
  }
}

/** The next progress of this task that is pushed. */
async function progressOf(client: SeedClient, taskId: string): Promise<SeedProgress> {
  for (;;) {
    const { task_id: id, progress } = await client.progress();
    if (id === taskId) return progress;
  }
}

/** What a client that was written from the seed document alone may rely on. */
export const FACTS: Readonly<Record<string, (world: SeedWorld) => Promise<void>>> = {
  async "the handshake's topics bring what a worker publishes, member for member"(world) {
    const { gateway, publish, isBusy = false } = world;
    const url = `${gateway.wsUrl}/ws/task?client_id=abc123&topics=task:progress,task:status`;
    await using client = await SeedClient.connect(url);
    await publish("task_123", "started", { at: "2024-01-01T00:00:00Z" });
    assertEquals(instants(await statusOf(client, "task_123")), {
      task_id: "task_123",
      status: "running",
      start: START,
      end: null,
    });
    await publish("task_123", "progress", COUNTERS);
    assertEquals(await progressOf(client, "task_123"), { ...COUNTERS, percentage: 45 });
    await publish("task_123", "completed", { at: "2024-01-01T00:10:00Z" });
    assertEquals(instants(await statusOf(client, "task_123")), {
      task_id: "task_123",
      status: "completed",
      start: START,
      end: END,
    });
    await client.ping();
    if (!isBusy) assertEquals(client.untaken(), []);
  },

  async "a ping is answered at once, under its id and with the server's time"({ gateway }) {
    await using client = await SeedClient.connect(`${gateway.wsUrl}/ws`);
    for (let beat = 0; beat < 3; beat++) await client.ping();
  },

  async "a subscription is confirmed under its id and then brings what happens"({ gateway, publish }) {
    await using client = await SeedClient.connect(`${gateway.wsUrl}/ws/task`);
    const { error } = await client.request("subscribe", { topics: ["task:progress", "task:status"] });
    assertEquals(error, undefined);
    await publish("task_124", "progress", { ...COUNTERS, completed: 12.5, failed: 0.25 });
    const counters = { ...COUNTERS, completed: 12.5, failed: 0.25, percentage: 12.75 };
    assertEquals(await progressOf(client, "task_124"), counters);
    assertEquals((await statusOf(client, "task_124")).status, "running");
  },

  async "progress alone, or status alone, is what a client gets that asks for no more"({ gateway, publish }) {
    const url = `${gateway.wsUrl}/ws/task?topics=`;
    await using progress = await SeedClient.connect(`${url}task:progress`);
    await using status = await SeedClient.connect(`${url}task:status`);
    await publish("task_125", "started", {});
    await publish("task_125", "progress", COUNTERS);
    await publish("task_125", "failed", { progress: { ...COUNTERS, completed: 46 }, error: "disk full" });
    for (let seen = 0; seen !== 46;) seen = (await progressOf(progress, "task_125")).completed;
    const told: string[] = [];
    while (told.at(-1) !== "failed") told.push((await statusOf(status, "task_125")).status);
    assertEquals(told, ["running", "failed"]);
    assert(!progress.untaken().includes("task_status"));
    assert(!status.untaken().includes("task_progress"));
  },

  async "a task, and the list of tasks, are answered under the id of the question"({ gateway, publish }) {
    await using client = await SeedClient.connect(`${gateway.wsUrl}/ws/task?topics=task:id:task_126`);
    await publish("task_126", "started", { at: "2024-01-01T00:00:00Z" });
    await client.status();
    const { type, data } = await client.request("get_task", { task_id: "task_126" });
    assertEquals([type, data["task_id"], data["status"]], ["task_status", "task_126", "running"]);
    const list = await client.request("get_tasks", {});
    assertEquals(list.type, "task_list");
    const tasks = list.data["tasks"];
    assert(Array.isArray(tasks));
    const [task] = tasks.filter((task) => task.task_id === "task_126");
    assertEquals([task.status, Date.parse(task.start_time), task.end_time], ["running", START, null]);
  },

  async "what is unsubscribed is confirmed and comes no more"({ gateway, publish }) {
    const url = `${gateway.wsUrl}/ws/task?topics=task:id:task_127`;
    await using stays = await SeedClient.connect(url);
    await using leaves = await SeedClient.connect(url);
    const { error } = await leaves.request("unsubscribe", { topics: ["task:id:task_127"] });
    assertEquals(error, undefined);
    await publish("task_127", "started", {});
    await publish("task_127", "progress", COUNTERS);
    await stays.status();
    await stays.progress();
    await leaves.ping();
    assertEquals(leaves.untaken(), []);
    await leaves.request("unsubscribe", { topics: ["task:id:task_127"] });
  },

  async "what is no message is answered INVALID_MESSAGE, under its id where it has one"({ gateway }) {
    const broken: readonly (readonly [string, string | undefined])[] = [
      ["{", undefined],
      ["[]", undefined],
      ['"ping"', undefined],
      ['{"type":"ping"}', undefined],
      ['{"id":"x1","data":{}}', "x1"],
      ['{"type":5,"id":"x2"}', "x2"],
      ['{"type":"ping","id":"x3","data":[]}', "x3"],
      ['{"type":"subscribe","id":"x4","timestamp":1677824400000,"data":{"topics":"task:status"}}', "x4"],
      ['{"type":"fly","id":"x5","data":{}}', "x5"],
    ];
    await using client = await SeedClient.connect(`${gateway.wsUrl}/ws/task`);
    for (const [text, id] of broken) {
      client.send(text);
      const answer = await client.pushed("error");
      assertEquals(answer.error?.code, "INVALID_MESSAGE", text);
      if (id !== undefined) assertEquals(answer.id, id, text);
    }
    await client.ping();
  },

  async "a topic or a task that does not exist is told so under the id of the question"({ gateway }) {
    await using client = await SeedClient.connect(`${gateway.wsUrl}/ws/task`);
    const topic = await client.request("subscribe", { topics: ["task:status", "task:nothing"] });
    assertEquals([topic.type, topic.error?.code], ["error", "TOPIC_NOT_FOUND"]);
    const elsewhere = await client.request("subscribe", { topics: ["data:prices"] });
    assertEquals([elsewhere.type, elsewhere.error?.code], ["error", "TOPIC_NOT_FOUND"]);
    const task = await client.request("get_task", { task_id: "nobody" });
    assertEquals([task.type, task.error?.code], ["error", "TASK_NOT_FOUND"]);
  },

  async "paths and parameters of the handshake are those of the document"({ gateway }) {
    for (
      const path of ["/ws", "/ws/task", "/ws/data", "/ws/strategy", "/ws/task?client_id=abc123&token=t0ken"]
    ) {
      await using client = await SeedClient.connect(`${gateway.wsUrl}${path}`);
      await client.ping();
    }
  },
};
