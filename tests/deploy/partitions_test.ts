import { assertEquals } from "@std/assert";
import { connectPartitions } from "../../src/client/partitioned.ts";
import { mappingOf } from "../../src/log/jetstream_partition.ts";
import { partitionOf } from "../../src/protocol/partitions.ts";
import { eventually } from "../eventually.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { startNatsServer } from "../nats_server.ts";
import { operatorsProgram } from "./binaries.ts";
import { deployed, rewritten } from "./deployed.ts";
import { answers, freePort, ServerProcess } from "./server_process.ts";

const IDS = ["a", "b", "c", "d", "e", "f"];

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
