import { assertEquals, assertStringIncludes } from "@std/assert";
import { mappingOf } from "../../src/log/jetstream_partition.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { natsServerBinary } from "../nats_server_binary.ts";
import { run } from "../programs.ts";
import { DEPLOY, deployed } from "./deployed.ts";
import { NATS_PASSWORDS, NatsCluster } from "./nats_cluster.ts";

Deno.test("nats-server takes every configuration of it", async () => {
  const binary = await natsServerBinary();
  const env = {
    ...NATS_PASSWORDS,
    NATS_NAME: "nats1",
    TASKWIRE_ROUTES: `[nats://route:${NATS_PASSWORDS["TASKWIRE_ROUTE_PASSWORD"]}@nats1:6222]`,
  };
  const files = [...Deno.readDirSync(DEPLOY)].map(({ name }) => name).filter((name) =>
    /^nats-.*\.conf$/.test(name)
  );
  assertEquals(files.sort(), [
    "nats-accounts.conf",
    "nats-cluster.conf",
    "nats-partitions.conf",
    "nats-server.conf",
  ]);
  for (const file of files) await run(binary, ["-c", new URL(file, DEPLOY).pathname, "-t"], { env });
});

Deno.test("the partitions of it are those of the gateways", async () => {
  assertStringIncludes(
    await deployed("nats-partitions.conf"),
    mappingOf({ prefix: "taskwire", partitions: 4 }),
  );
});

Deno.test("three nodes are a cluster, in which a gateway with its rights alone keeps three copies", async () => {
  await using cluster = await NatsCluster.start();
  await withGateway({ settings: cluster.settings }, async (gateway) => {
    await gateway.post("a", [{ kind: "started" }]);
    await cluster.agreed(2);
  });
});
