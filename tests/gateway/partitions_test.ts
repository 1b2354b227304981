import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ClientError } from "../../src/client/client_error.ts";
import { connectPartitions } from "../../src/client/partitioned.ts";
import { mappingOf } from "../../src/log/jetstream_partition.ts";
import { partitionOf } from "../../src/protocol/partitions.ts";
import { connectWorker } from "../../src/worker/task_reporter.ts";
import { eventually } from "../eventually.ts";
import { type NatsServer, startNatsServer } from "../nats_server.ts";
import { BareNats } from "./bare_nats.ts";
import { type GatewayProcess, runToItsEnd, withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

const IDS = Array.from({ length: 40 }, (_, i) => `job-${i}`);
/** Those of each partition of two. */
const OWN = [0, 1].map((partition) => IDS.filter((id) => partitionOf(id, 2) === partition));
const MINE = OWN[0]?.[0] ?? "";
const OTHER = OWN[1]?.[0] ?? "";

/** Two gateways, each with its partition, and the NATS behind both, which maps what workers publish. */
async function onPartitions(
  use: (gateways: readonly [GatewayProcess, GatewayProcess], nats: NatsServer) => Promise<void>,
): Promise<void> {
  const config = `mappings: { ${mappingOf({ prefix: "taskwire", partitions: 2 })} }`;
  await using nats = await startNatsServer({ config });
  const settings = (partition: number) => ({
    settings: { NATS_URL: nats.url, PARTITION: `${partition}/2`, FLUSH_MS: "5" },
  });
  await withGateway(settings(0), (first) =>
    withGateway(settings(1), async (second) => {
      await use([first, second], nats);
    }));
}

Deno.test("two gateways with a partition each", async (t) => {
  await onPartitions(async ([first, second], nats) => {
    const urls = [first.url, second.url];
    await using worker = await BareNats.connect(nats.url);
    const client = connectPartitions(urls);
    const told = new Map<string, string[]>();
    const whole = Promise.withResolvers<void>();
    client.subscribe(["task:status", `task:id:${OTHER}`], (frame) => {
      if (frame.type !== "task_status") return;
      const { task_id: id, status } = frame.data;
      told.set(id, [...told.get(id) ?? [], status]);
    }, { onLive: (isLive) => isLive && whole.resolve() });
    await whole.promise;

    await t.step("who watches both is told everything of every task, once", async () => {
      for (const kind of ["started", "paused", "completed"]) {
        for (const id of IDS) worker.publish(`taskwire.task.${id}.${kind}`, "{}");
      }
      await worker.flush();
      const all = ["running", "paused", "completed"];
      await eventually("all is told", () => IDS.every((id) => told.get(id)?.length === all.length));
      assertEquals([...told.keys()].sort(), [...IDS].sort());
      assertEquals([...told.values()].filter((statuses) => String(statuses) !== String(all)), []);
      const { tasks, total } = await client.getTasks({ limit: 100 });
      assertEquals([tasks.map(({ task_id: id }) => id).sort(), total], [[...IDS].sort(), IDS.length]);
      const few = await client.getTasks({ limit: 10, page: 2 });
      assertEquals([few.tasks.length, few.total, few.next_page], [10, IDS.length, 3]);
      assertEquals((await client.getTask(OTHER)).status, "completed");
      assertEquals((await client.getHistory(MINE)).events.length, 3);
    });

    await t.step("each knows the tasks of its own, and says where the others are", async () => {
      for (const [partition, url] of urls.entries()) {
        const { tasks } = await (await fetch(`${url}/api/tasks?limit=100`)).json();
        const ids = tasks.map(({ task_id: id }: { task_id: string }) => id);
        assertEquals(ids.sort(), [...OWN[partition] ?? []].sort());
      }
      await using watcher = await Watcher.start({ url: first.wsUrl });
      const [welcome] = watcher.of("welcome");
      assertEquals([welcome?.data.partition, welcome?.data.partitions], [0, 2]);
      const where = { partition: 1, partitions: 2 };
      const topics = [`task:id:${OTHER}:status`];
      const subscribed = await watcher.ask("subscribe", { topics: [`task:id:${MINE}`, ...topics] });
      assert(subscribed.type === "error");
      assertEquals([subscribed.error.code, subscribed.error.details], [
        "TOPIC_NOT_FOUND",
        { topics, ...where },
      ]);
      for (const type of ["get_task", "get_history", "cancel_task"]) {
        const answer = await watcher.ask(type, { task_id: OTHER });
        assert(answer.type === "error");
        const { code, details, message } = answer.error;
        assertEquals([code, details], ["TASK_NOT_FOUND", { task_id: OTHER, ...where }]);
        assertEquals(message, `task ${OTHER} is of partition 1 of 2, and here is 0`);
      }
      const problem = await fetch(`${first.url}/api/tasks/${OTHER}`);
      assertEquals([problem.status, (await problem.json()).details.partition], [404, 1]);
      const stream = await fetch(`${first.url}/api/stream?topics=task:id:${OTHER}`);
      assertEquals([stream.status, (await stream.json()).details.partition], [404, 1]);
      const wrong = connectPartitions([...urls].reverse());
      const refused = await assertRejects(() => wrong.getTask(OTHER), ClientError);
      assertEquals([refused.code, refused.details.partition], ["TASK_NOT_FOUND", 1]);
      wrong.close();
      const body = JSON.stringify({ module: "./src/plugins/examples/task_log.ts" });
      const headers = { "content-type": "application/json" };
      const added = await fetch(`${first.url}/api/plugins`, { method: "POST", headers, body });
      assertEquals([added.status, (await added.json()).detail], [
        409,
        'Cannot add the namespace "log": in a log of partitions there are no channels',
      ]);
      for (const topic of [`task:id:${MINE}:log`, `task:id:${OTHER}:log`, "data:prices"]) {
        const why = `${topic}: in a log of partitions there are no channels`;
        const refused = await watcher.ask("subscribe", { topics: [topic] });
        assert(refused.type === "error");
        assertEquals([refused.error.code, refused.error.message], [
          "TOPIC_NOT_FOUND",
          `no such topic on /ws: ${why}`,
        ]);
        const body = JSON.stringify({ topic, payload: { text: "lost?" } });
        const published = await fetch(`${first.url}/api/publish`, { method: "POST", headers, body });
        assertEquals([published.status, (await published.json()).detail], [404, `no such channel: ${why}`]);
      }
      const PLUGINS = "src/plugins/examples/task_log.ts";
      const ended = await runToItsEnd({ NATS_URL: nats.url, PARTITION: "0/2", PLUGINS });
      assertEquals(ended.code, 2);
      assertMatch(
        ended.stderr,
        /^Cannot use the plug-in "task_log": Cannot add the namespace "log": in a log of partitions /m,
      );
    });

    await t.step("a rate that is asked for holds at both", async () => {
      const slow = connectPartitions(urls);
      const seen: string[] = [];
      let isLive = false;
      slow.subscribe(["task:progress", "task:status"], (frame) => {
        if (frame.type === "task_progress") {
          seen.push(`${frame.data.task_id} ${frame.data.progress.completed}`);
        }
        if (frame.type === "task_status") seen.push(`${frame.data.task_id} ${frame.data.status}`);
      }, { maxRateHz: 0.1, replay: "none", onLive: (is) => isLive = is });
      await eventually("it is live", () => isLive);
      const own = [0, 1].map((partition) =>
        `slow-${IDS.findIndex((_, i) => partitionOf(`slow-${i}`, 2) === partition)}`
      );
      const expected = ["1", "running", "9", "paused"];
      const toldOf = (id: string) => seen.filter((word) => word.startsWith(`${id} `));
      for (const id of own) await first.post(id, [{ kind: "progress", completed: 1 }]);
      await eventually("the first are told", () => own.every((id) => toldOf(id).length === 2));
      for (const id of own) {
        for (let completed = 2; completed <= 9; completed++) {
          await first.post(id, [{ kind: "progress", completed }]);
        }
        await first.post(id, [{ kind: "paused" }]);
      }
      await eventually("a status is told at once", () => own.every((id) => seen.includes(`${id} paused`)));
      assertEquals(own.map(toldOf), own.map((id) => expected.map((word) => `${id} ${word}`)));
      slow.close();
    });

    await t.step("events of any task may be posted to either", async () => {
      await first.post(OTHER, [{ kind: "retrying", attempt: 2 }]);
      await eventually("the other is told", () => told.get(OTHER)?.at(-1) === "retrying");
    });

    await t.step("a worker that knows how many there are hears of a cancel, early and late", async () => {
      await using sdk = await connectWorker(nats.url, { partitions: 2 });
      for (const id of ["early", "late", "later"]) {
        const working = Promise.withResolvers<void>();
        const ended = sdk.run(id, { attempt: 1 }, async ({ signal }) => {
          working.resolve();
          await new Promise((_resolve, reject) => {
            if (signal.aborted) reject(signal.reason);
            signal.addEventListener("abort", () => reject(signal.reason));
          });
        });
        ended.catch(() => {});
        await working.promise;
        await eventually("it is known", () => client.getTask(id).then(() => true, () => false));
        await client.cancel(id);
        await assertRejects(() => ended);
        await eventually("it is told", () => told.get(id)?.at(-1) === "cancelled");
      }
    });

    await t.step(
      "pages have every task once, also where they weigh too much and become smaller",
      async () => {
        const heavy = Array.from({ length: 200 }, (_, i) => `heavy-${i}`);
        const body = JSON.stringify({ result: "x".repeat(60_000) });
        for (const id of heavy) {
          worker.publish(`taskwire.task.${id}.created`, '{"type":"heavy"}');
          worker.publish(`taskwire.task.${id}.completed`, body);
        }
        await worker.flush();
        await eventually("all are told", () => heavy.every((id) => told.get(id)?.at(-1) === "completed"));
        const ids: string[] = [];
        const limits: number[] = [];
        for (
          let [page, limit]: (number | undefined)[] = [1, 200];
          page !== undefined && limit !== undefined;
        ) {
          const answer = await client.getTasks({ type: "heavy", page, limit });
          ids.push(...answer.tasks.map(({ task_id: id }) => id));
          limit = answer.limit ?? limit;
          page = answer.next_page;
          limits.push(limit);
        }
        assert(limits.some((limit) => limit < 200), "they weigh too much for one page");
        assertEquals(ids.sort(), heavy.sort());
      },
    );

    await t.step("a cursor holds at the gateway of its partition, after a restart too", async () => {
      const watcher = await Watcher.start({ url: second.wsUrl });
      const { cursor } = watcher;
      await watcher[Symbol.asyncDispose]();
      await second.kill();
      worker.publish(`taskwire.task.${OTHER}.completed`, `{"attempt":2}`);
      await worker.flush();
      await second.start();
      assert(cursor !== undefined);
      await using back = await Watcher.start({ url: second.wsUrl, since: cursor });
      assertEquals(back.of("gap"), []);
      assertEquals(back.statuses.map(({ taskId, status }) => [taskId, status]), [[OTHER, "completed"]]);
      await eventually("the client is back", () => told.get(OTHER)?.at(-1) === "completed");
    });
    client.close();
  });
});
