import { assertEquals } from "@std/assert";
import { eventually } from "../eventually.ts";
import { BareNats } from "../gateway/bare_nats.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { natsServerBinary } from "../nats_server_binary.ts";
import { run } from "../programs.ts";
import { DEPLOY, deployed, rewritten } from "./deployed.ts";
import { freePort, ServerProcess } from "./server_process.ts";

const PASSWORD = "of-this-test-only";
const PASSWORDS = Object.fromEntries(
  ["GATEWAY", "WORKER", "ADMIN", "ROUTE"].map((who) => [`TASKWIRE_${who}_PASSWORD`, PASSWORD]),
);

Deno.test("nats-server takes every configuration of it", async () => {
  const binary = await natsServerBinary();
  const env = { ...PASSWORDS, NATS_NAME: "nats1", TASKWIRE_ROUTES: `[nats://route:${PASSWORD}@nats1:6222]` };
  const files = [...Deno.readDirSync(DEPLOY)].map(({ name }) => name).filter((name) =>
    /^nats-.*\.conf$/.test(name)
  );
  assertEquals(files.sort(), ["nats-accounts.conf", "nats-cluster.conf", "nats-server.conf"]);
  for (const file of files) await run(binary, ["-c", new URL(file, DEPLOY).pathname, "-t"], { env });
});

/** A node of a cluster: its ports. */
type Node = { readonly name: string; readonly client: number; readonly route: number };

Deno.test("three nodes are a cluster, in which a gateway with its rights alone keeps three copies", async () => {
  const binary = await natsServerBinary();
  const folder = await Deno.makeTempDir({ prefix: "taskwire-cluster-" });
  await Deno.writeTextFile(`${folder}/nats-accounts.conf`, await deployed("nats-accounts.conf"));
  const nodes = ["nats1", "nats2", "nats3"].map((name) => ({ name, client: freePort(), route: freePort() }));
  const servers: ServerProcess[] = [];
  try {
    servers.push(...await Promise.all(nodes.map((node) => startNode({ binary, folder, node, nodes }))));
    const settings = {
      NATS_URL: nodes.map(({ client }) => `nats://127.0.0.1:${client}`).join(","),
      NATS_USER: "gateway",
      NATS_PASSWORD: PASSWORD,
      NATS_INBOX_PREFIX: "_INBOX_gateway",
      STREAM_REPLICAS: "3",
    };
    await withGateway({ settings }, async (gateway) => {
      await gateway.post("a", [{ kind: "started" }]);
      await using admin = await BareNats.connect(`nats://127.0.0.1:${nodes[0]?.client}`, {
        user: "admin",
        pass: PASSWORD,
      });
      await eventually("there are three copies, all of them current", async () => {
        const { body } = await admin.request("$JS.API.STREAM.INFO.TASKWIRE", {});
        const { cluster }: { cluster: { replicas: { current: boolean }[] } } = JSON.parse(
          new TextDecoder().decode(body),
        );
        return cluster.replicas.filter(({ current }) => current).length === 2;
      });
    });
  } finally {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    await Deno.remove(folder, { recursive: true });
  }
});

/** Starts a node with the committed configuration, at ports of its own. */
async function startNode(
  { binary, folder, node, nodes }: { binary: string; folder: string; node: Node; nodes: readonly Node[] },
): Promise<ServerProcess> {
  const config = rewritten(await deployed("nats-cluster.conf"), {
    "0.0.0.0:4222": `127.0.0.1:${node.client}`,
    "127.0.0.1:8222": "127.0.0.1:-1",
    "0.0.0.0:6222": `127.0.0.1:${node.route}`,
    "0.0.0.0:8080": "127.0.0.1:-1",
    '"/data"': JSON.stringify(`${folder}/${node.name}`),
  });
  const file = `${folder}/${node.name}.conf`;
  await Deno.writeTextFile(file, config);
  const routes = nodes.map(({ route }) => `nats://route:${PASSWORD}@127.0.0.1:${route}`);
  const env = { ...PASSWORDS, NATS_NAME: node.name, TASKWIRE_ROUTES: `[${routes.join(", ")}]` };
  return await ServerProcess.start(binary, ["-c", file], (said) => said.includes("Server is ready"), { env });
}
