import * as v from "valibot";
import { eventually } from "../eventually.ts";
import { BareNats, type NatsUser } from "../gateway/bare_nats.ts";
import { natsServerBinary } from "../nats_server_binary.ts";
import { deployed, rewritten } from "./deployed.ts";
import { freePort, ServerProcess } from "./server_process.ts";

const PASSWORD = "of-this-test-only";

/** The passwords that the committed configurations ask their environment for. */
export const NATS_PASSWORDS: Readonly<Record<string, string>> = Object.fromEntries(
  ["GATEWAY", "WORKER", "PUBLISHER", "ADMIN", "ROUTE"].map((who) => [`TASKWIRE_${who}_PASSWORD`, PASSWORD]),
);

/** Nobody answers while there is no leader: it is asked again after this, ms. */
const ASKED_MS = 500;
/** The most that electing, and copying what was missed, may take, ms. */
const AGREED_MS = 60_000;

const StreamInfo = v.object({
  cluster: v.object({
    leader: v.exactOptional(v.string()),
    replicas: v.exactOptional(
      v.array(v.object({ current: v.boolean(), offline: v.exactOptional(v.boolean()) })),
    ),
  }),
});
type StreamInfo = v.InferOutput<typeof StreamInfo>;

/** A node: its ports, and its process while it has one. */
type Node = {
  readonly name: string;
  readonly client: number;
  readonly route: number;
  server?: ServerProcess;
};

/** Three nodes of the committed configuration, at addresses of a test's own. */
export class NatsCluster implements AsyncDisposable {
  readonly #binary: string;
  readonly #folder: string;
  readonly #nodes: readonly Node[] = ["nats1", "nats2", "nats3"]
    .map((name) => ({ name, client: freePort(), route: freePort() }));

  private constructor(binary: string, folder: string) {
    this.#binary = binary;
    this.#folder = folder;
  }

  /** Resolves when every node takes clients. `accounts` changes the committed accounts. */
  static async start(accounts = (text: string): string => text): Promise<NatsCluster> {
    const binary = await natsServerBinary();
    const folder = await Deno.makeTempDir({ prefix: "taskwire-cluster-" });
    const cluster = new NatsCluster(binary, folder);
    try {
      const text = accounts(await deployed("nats-accounts.conf"));
      await Deno.writeTextFile(`${folder}/nats-accounts.conf`, text);
      await Promise.all(cluster.#nodes.map((node) => cluster.#start(node)));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `nats://127.0.0.1:<port>` of each node. */
  get urls(): readonly string[] {
    return this.#nodes.map(({ client }) => `nats://127.0.0.1:${client}`);
  }

  /** What a gateway is told of it. */
  get settings(): Readonly<Record<string, string>> {
    return {
      NATS_URL: this.urls.join(","),
      NATS_USER: "gateway",
      NATS_PASSWORD: PASSWORD,
      NATS_INBOX_PREFIX: "_INBOX_gateway",
      STREAM_REPLICAS: "3",
    };
  }

  /** As whom workers, and those who look after it, connect. */
  user(name: "worker" | "admin"): NatsUser {
    return { user: name, pass: PASSWORD };
  }

  /** A connection to a node that runs, for whoever looks after it. */
  async admin(): Promise<BareNats> {
    const running = this.#nodes.find(({ server }) => server !== undefined);
    if (running === undefined) throw new Error("No node runs");
    return await BareNats.connect(`nats://127.0.0.1:${running.client}`, this.user("admin"));
  }

  /** Waits until so many nodes beside the leader have all that the stream has; resolves with the leader's name. */
  async agreed(copies: number): Promise<string> {
    let leader: string | undefined;
    await eventually(`${copies} copies are current`, async () => {
      const { cluster } = await this.#info().catch((): StreamInfo => ({ cluster: {} }));
      leader = cluster.leader;
      const current = cluster.replicas?.filter(({ current, offline }) => current && offline !== true) ?? [];
      return this.#nodes.some(({ name, server }) => name === leader && server !== undefined) &&
        current.length >= copies;
    }, AGREED_MS);
    return leader ?? "";
  }

  /** `kill -9`. */
  async kill(name: string): Promise<void> {
    const node = this.#node(name);
    const server = node.server;
    delete node.server;
    server?.signal("SIGKILL");
    await server?.gone;
  }

  /** Starts a node that was killed, with the files that it had. */
  async restart(name: string): Promise<void> {
    await this.#start(this.#node(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map(({ server }) => server?.[Symbol.asyncDispose]()));
    await Deno.remove(this.#folder, { recursive: true });
  }

  #node(name: string): Node {
    const node = this.#nodes.find((node) => node.name === name);
    if (node === undefined) throw new Error(`There is no node ${name}`);
    return node;
  }

  async #info(): Promise<StreamInfo> {
    await using admin = await this.admin();
    const { body } = await admin.request("$JS.API.STREAM.INFO.TASKWIRE", "", { withinMs: ASKED_MS });
    return v.parse(StreamInfo, JSON.parse(new TextDecoder().decode(body)));
  }

  async #start(node: Node): Promise<void> {
    const config = rewritten(await deployed("nats-cluster.conf"), {
      "0.0.0.0:4222": `127.0.0.1:${node.client}`,
      "127.0.0.1:8222": "127.0.0.1:-1",
      "0.0.0.0:6222": `127.0.0.1:${node.route}`,
      "0.0.0.0:8080": "127.0.0.1:-1",
      '"/data"': JSON.stringify(`${this.#folder}/${node.name}`),
    });
    const file = `${this.#folder}/${node.name}.conf`;
    await Deno.writeTextFile(file, config);
    const routes = this.#nodes.map(({ route }) => `nats://route:${PASSWORD}@127.0.0.1:${route}`);
    const env = { ...NATS_PASSWORDS, NATS_NAME: node.name, TASKWIRE_ROUTES: `[${routes.join(", ")}]` };
    node.server = await ServerProcess.start(
      this.#binary,
      ["-c", file],
      (said) => said.includes("Server is ready"),
      { env },
    );
  }
}
