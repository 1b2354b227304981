import { assertEquals, assertRejects } from "@std/assert";
import { connectPartitions } from "../../src/client/partitioned.ts";
import { mappingOf } from "../../src/log/jetstream_partition.ts";
import { partitionOf } from "../../src/protocol/partitions.ts";
import { connectWorker } from "../../src/worker/task_reporter.ts";
import { eventually } from "../eventually.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { startNatsServer } from "../nats_server.ts";
import { operatorsProgram } from "./binaries.ts";
import { deployed, rewritten } from "./deployed.ts";
import { NatsCluster } from "./nats_cluster.ts";
import { answers, freePort, ServerProcess } from "./server_process.ts";

const IDS = ["a", "b", "c", "d", "e", "f"];

/** The committed accounts as nats-partitions.conf says that they are to be. */
function inPartitions(accounts: string): string {
  const line = mappingOf({ prefix: "taskwire", partitions: 2 });
  return rewritten(accounts, {
    "jetstream: enabled": `jetstream: enabled, mappings: { ${line} }`,
    "taskwire.task.*.cancel_requested": "taskwire.part.*.task.*.cancel_requested",
    '"taskwire.task.>"\n              "taskwire.data.>"': '"taskwire.part.*.task.>"',
    ".GET.TASKWIRE": ".GET.*",
    ".INFO.TASKWIRE": ".INFO.*",
    ".CREATE.TASKWIRE": ".CREATE.*",
    ".NEXT.TASKWIRE": ".NEXT.*",
    ".DELETE.TASKWIRE": ".DELETE.*",
  });
}

Deno.test("in a cluster with accounts, what a worker of another account tells comes to its partition", async () => {
  await using cluster = await NatsCluster.start(inPartitions);
  const settings = (partition: number) => ({
    settings: { ...cluster.settings, PARTITION: `${partition}/2` },
  });
  await withGateway(settings(0), (first) =>
    withGateway(settings(1), async (second) => {
      const client = connectPartitions([first.url, second.url]);
      const { user, pass: password } = cluster.user("worker");
      await using worker = await connectWorker(cluster.urls.join(","), {
        partitions: 2,
        ...(user === undefined || password === undefined ? {} : { user, password }),
      });
      const ends = IDS.map(async (id) => {
        const work = worker.run(id, {}, async ({ signal }) => {
          await new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason));
          });
        });
        work.catch(() => {});
        await eventually("it is known", () => client.getTask(id).then(() => true, () => false));
        await client.cancel(id);
        await assertRejects(() => work);
        await eventually(
          "it is told",
          async () => (await client.getTask(id)).status === "cancelled",
        );
      });
      await Promise.all(ends);
      client.close();
    }));
});

Deno.test("behind haproxy each path is a partition, by sockets and by streams, and events go anywhere", async () => {
  const line = mappingOf({ prefix: "taskwire", partitions: 2 });
  await using nats = await startNatsServer({ config: `mappings: { ${line} }` });
  const settings = (partition: number) => ({
    settings: { NATS_URL: nats.url, TRUSTED_PROXIES: "127.0.0.1", PARTITION: `${partition}/2` },
  });
  const folder = await Deno.makeTempDir({ prefix: "taskwire-haproxy-" });
  const [port, whole] = [freePort(), freePort()];
  const base = `http://127.0.0.1:${port}`;
  try {
    await withGateway(settings(0), (first) =>
      withGateway(settings(1), async (second) => {
        await Deno.writeTextFile(
          `${folder}/whole.cfg`,
          rewritten(await deployed("proxy/haproxy.cfg"), {
            "bind :8000": `bind 127.0.0.1:${whole}`,
            "bind :8405": `bind 127.0.0.1:${freePort()}`,
            "maxconn 100000": "maxconn 200",
          }),
        );
        await Deno.writeTextFile(
          `${folder}/partitions.cfg`,
          rewritten(await deployed("proxy/haproxy-partitions.cfg"), {
            "bind :8001": `bind 127.0.0.1:${port}`,
            " gateway0:8000": ` 127.0.0.1:${first.port}`,
            " gateway1:8000": ` 127.0.0.1:${second.port}`,
          }),
        );
        const args = ["-W", "-f", `${folder}/whole.cfg`, "-f", `${folder}/partitions.cfg`];
        const started = () => answers(`${base}/p/1/readyz`);
        await using _proxy = await ServerProcess.start(await operatorsProgram("HAPROXY"), args, started);
        const urls = [0, 1].map((partition) => `${base}/p/${partition}/ws`);
        for (const transport of ["websocket", "sse"] as const) {
          const client = connectPartitions(urls, { transport });
          const told = new Set<string>();
          client.subscribe(IDS.map((id) => `task:id:${id}`), (frame) => {
            if (frame.type === "task_status") told.add(frame.data.task_id);
          });
          for (const id of IDS) {
            const anywhere = `${base}/p/${1 - partitionOf(id, 2)}/api/tasks/${id}/events`;
            const answer = await fetch(anywhere, {
              method: "POST",
              headers: { "content-type": "application/json" },
              body: JSON.stringify({ kind: "started" }),
            });
            await answer.body?.cancel();
            assertEquals(answer.status, 202);
          }
          await eventually("all are told of", () => told.size === IDS.length);
          assertEquals((await client.getTasks()).total, IDS.length);
          client.close();
        }
      }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
