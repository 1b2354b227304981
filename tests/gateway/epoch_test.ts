import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { startNatsServer } from "../nats_server.ts";
import { eventually } from "../eventually.ts";
import { BareNats } from "./bare_nats.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";
import { Load, OverNats } from "./load.ts";
import { type Cursor, Watcher } from "./watcher.ts";

/** A gateway on a stream in which one task runs and one has ended, and a client that knows it. */
type Before = { readonly gateway: GatewayProcess; readonly nats: BareNats; readonly watcher: Watcher };

async function withStream(use: (before: Before) => Promise<void>): Promise<void> {
  await using server = await startNatsServer();
  await using nats = await BareNats.connect(server.url);
  await withGateway({ settings: { NATS_URL: server.url } }, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl });
    await publish(nats, "old-1", "started");
    await publish(nats, "old-2", "completed");
    await publish(nats, "old-1", "progress", { total: 4, completed: 1 });
    await watcher.until("the old truth is known", () => watcher.progress.get("old-1")?.completed === 1);
    assertEquals(watcher.statuses.map(({ taskId }) => taskId), ["old-1", "old-2"]);
    await use({ gateway, nats, watcher });
  });
}

async function publish(nats: BareNats, taskId: string, kind: string, body: unknown = {}): Promise<void> {
  const { body: answer } = await nats.request(`taskwire.task.${taskId}.${kind}`, body);
  const { error } = JSON.parse(new TextDecoder().decode(answer));
  assertEquals(error, undefined);
}

/** Deletes the stream and makes it again as it was. */
async function recreate(nats: BareNats): Promise<void> {
  const { config } = await nats.api("STREAM.INFO.TASKWIRE");
  await nats.api("STREAM.DELETE.TASKWIRE");
  await nats.api("STREAM.CREATE.TASKWIRE", config);
}

/** What a client has to say of the gap: its last one, and where it had caught up again after that. */
function lastGap(watcher: Watcher): { readonly epoch: string; readonly caughtUpAt: number } {
  const at = watcher.frames.findLastIndex(({ type }) => type === "gap");
  const gap = watcher.frames[at];
  assert(gap?.type === "gap", "there was a gap");
  assertEquals(gap.data.reason, "epoch");
  assertEquals(gap.data.topics, ["task:progress", "task:status"]);
  const after = watcher.frames.slice(at).find(({ type }) => type === "caught_up");
  assert(after?.type === "caught_up", "it caught up after the gap");
  return { epoch: gap.data.epoch, caughtUpAt: after.data.seq };
}

/** A client that comes back with a cursor of a life that is over is told of the gap, and then what is true now. */
async function comesBack(gateway: GatewayProcess, since: Cursor, taskIds: readonly string[]): Promise<void> {
  await using returned = await Watcher.start({ url: gateway.wsUrl, since });
  assertEquals(returned.of("subscribed").map(({ data }) => data.recovered), [false]);
  assertNotEquals(lastGap(returned).epoch, since.epoch);
  assertEquals(returned.statuses.map(({ taskId }) => taskId).sort(), taskIds);
}

Deno.test("a stream made anew under quiet clients is told as a gap, and then the new truth", async () => {
  await withStream(async ({ gateway, nats, watcher }) => {
    const old = watcher.cursor;
    assert(old !== undefined);
    await recreate(nats);
    await watcher.until("the gap is told", () => watcher.of("gap").length === 1 && watcher.caughtUp);
    const { epoch, caughtUpAt } = lastGap(watcher);
    assertNotEquals(epoch, old.epoch);
    assertEquals([watcher.statuses, [...watcher.progress], caughtUpAt], [[], [], 0]);
    await publish(nats, "new-1", "started");
    await watcher.until("the new truth is told", () => watcher.statuses.length === 1);
    assertEquals(watcher.statuses, [{ seq: 1, taskId: "new-1", status: "running" }]);
    assertEquals(watcher.cursor, { epoch, seq: 1 });
    assertEquals((await watcher.ask("get_task", { task_id: "old-1" })).type, "error");
    const list = await watcher.ask("get_tasks");
    assertEquals(list.type === "task_list" && list.data.tasks.map(({ task_id }) => task_id), ["new-1"]);
    assertEquals(watcher.closes, []);
    await comesBack(gateway, old, ["new-1"]);
  });
});

Deno.test("what was written into the new stream before anybody noticed is part of the new truth", async () => {
  await withStream(async ({ gateway, nats, watcher }) => {
    const old = watcher.cursor;
    assert(old !== undefined);
    await recreate(nats);
    for (let task = 1; task <= 20; task++) await publish(nats, `new-${100 + task}`, "started");
    const taskIds = Array.from({ length: 20 }, (_, task) => `new-${101 + task}`);
    const known = () => watcher.statuses.map(({ taskId }) => taskId).sort();
    await watcher.until("all of it is told", () => watcher.of("gap").length > 0 && known().length === 20);
    assertEquals(known(), taskIds);
    await comesBack(gateway, old, taskIds);
  });
});

Deno.test("a stream made anew under load leaves every client with the new truth and every change of it", async () => {
  await withStream(async ({ gateway, nats }) => {
    await using server = new OverNats(nats.url);
    await using load = new Load(server.store);
    const clients = await Promise.all(Array.from({ length: 5 }, () => Watcher.start({ url: gateway.wsUrl })));
    try {
      await eventually("the load has begun", () => load.count > 150);
      await recreate(nats);
      const { count } = load;
      await eventually("the load goes on", () => load.count > count + 300);
      await load.stop();
      await using all = await Watcher.start({ url: gateway.wsUrl, replay: "all" });
      for (const client of clients) {
        const last = all.statuses.at(-1)?.seq;
        await client.until("a client knows the end", () => client.statuses.at(-1)?.seq === last);
        const { caughtUpAt } = lastGap(client);
        assertEquals(client.of("gap").length, 1);
        const live = (watcher: Watcher) => watcher.statuses.filter(({ seq }) => seq > caughtUpAt);
        assertEquals(live(client), live(all));
        assertEquals(latest(client), latest(all));
        await client.until(
          "a client knows the newest progress",
          () =>
            [...all.progress].every(([id, { completed }]) =>
              client.progress.get(id)?.completed === completed
            ),
        );
        assertEquals(client.closes, []);
      }
    } finally {
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    }
  });
});

/** The last status of each task that has not ended; a snapshot leaves out those that have. */
function latest({ statuses }: Watcher): unknown {
  const byTask = new Map(statuses.map(({ taskId, status }) => [taskId, status]));
  return [...byTask].filter(([, status]) => status !== "completed").sort();
}

Deno.test("a stream that is deleted and left so is made again by the gateway, as another one", async () => {
  await withStream(async ({ nats, watcher }) => {
    await nats.api("STREAM.DELETE.TASKWIRE");
    await watcher.until("the gap is told", () => watcher.of("gap").length === 1, 30_000);
    await publish(nats, "new-1", "started");
    await watcher.until("the new truth is told", () => watcher.statuses.length === 1);
    assertEquals(watcher.statuses, [{ seq: 1, taskId: "new-1", status: "running" }]);
    assertEquals(watcher.closes, []);
  });
});

Deno.test("an embedded log that was removed while the gateway was down is another one to who comes back", async () => {
  await withGateway({}, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl, returns: true });
    await gateway.post("old-1", [{ kind: "created" }, { kind: "started" }]);
    await watcher.until("the old truth is known", () => watcher.statuses.length === 2);
    const old = watcher.cursor;
    assert(old !== undefined);
    await gateway.kill();
    for await (const { name } of Deno.readDir(gateway.dataDir)) {
      await Deno.remove(`${gateway.dataDir}/${name}`);
    }
    await gateway.start();
    await gateway.post("new-1", { kind: "started" });
    await watcher.until("the new truth is told", () => watcher.statuses.at(-1)?.taskId === "new-1");
    assertNotEquals(lastGap(watcher).epoch, old.epoch);
    assertEquals(watcher.statuses, [{ seq: 1, taskId: "new-1", status: "running" }]);
    await comesBack(gateway, old, ["new-1"]);
  });
});
