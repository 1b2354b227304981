import { connectPublisher } from "../../src/worker/publisher.ts";
import { connectWorker, type Publisher, type TaskReporter } from "../../src/worker/task_reporter.ts";
import { madeCertificate } from "../certificate.ts";
import { eventually } from "../eventually.ts";
import { type NatsServer, startNatsServer } from "../nats_server.ts";
import { TestClient } from "../websocket_client.ts";
import { BareNats } from "./bare_nats.ts";
import { withGateway } from "./gateway_process.ts";

const EXAMPLES = "src/plugins/examples";
const TOPICS = "task:progress,task:status,data:candles,strategy:s1,task:id:part1:log";
const CLOUD_EVENT = "application/cloudevents+json";
/** So many parts has the task `all`, which moves as they do. */
const PARTS = 3;

/** A gateway with all that it can do beyond the seed, and company that uses it. */
export type EverythingOn = {
  readonly gateway: { readonly wsUrl: string };
  /** The certificate to believe, in PEM. */
  readonly ca: string;
  /** Tells an event the plainest way. */
  readonly publish: (taskId: string, kind: string, body: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly company: Company;
};

/**
 * Runs `use` on a gateway on NATS that speaks TLS only, with the example plug-ins; beside it are clients that are sent CBOR,
 * changes of progress, batches and compressed messages, and workers of every kind.
 */
export async function withEverythingOn(use: (all: EverythingOn) => Promise<void>): Promise<void> {
  const { cert: ca, key } = await madeCertificate("everything");
  await using nats = await startNatsServer();
  const folder = await Deno.makeTempDir({ prefix: "taskwire-everything-" });
  try {
    const files = { TLS_CERT: `${folder}/cert.pem`, TLS_KEY: `${folder}/key.pem` };
    await Deno.writeTextFile(files.TLS_CERT, ca);
    await Deno.writeTextFile(files.TLS_KEY, key);
    const plugins = ["group_progress", "task_log"].map((name) => `${EXAMPLES}/${name}.ts`).join(",");
    const settings = { ...files, NATS_URL: nats.url, PLUGINS: plugins, COMPRESSION: "on" };
    await withGateway({ settings, dataDir: folder, untilReady: false }, async ({ port }) => {
      const at = { port, ca, nats };
      await using bare = await BareNats.connect(nats.url);
      await using company = await Company.gather(at, bare);
      await use({
        gateway: { wsUrl: `wss://127.0.0.1:${port}` },
        ca,
        async publish(taskId, kind, body) {
          bare.publish(`taskwire.task.${taskId}.${kind}`, JSON.stringify(body));
          await bare.flush();
        },
        company,
      });
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

type Place = { readonly port: number; readonly ca: string; readonly nats: NatsServer };

/** Those who are there beside: workers that seal, send CloudEvents, log and have parts, publishers, and newer clients. */
class Company implements AsyncDisposable {
  readonly #url: string;
  readonly #http: Deno.HttpClient;
  readonly #bare: BareNats;
  readonly #stack = new AsyncDisposableStack();
  #turns = 0;
  #sealing: TaskReporter | undefined;
  #publisher: Publisher | undefined;
  #clients: readonly TestClient[] = [];

  private constructor({ port, ca }: Place, bare: BareNats) {
    this.#url = `https://127.0.0.1:${port}`;
    this.#bare = bare;
    this.#http = this.#stack.adopt(Deno.createHttpClient({ caCerts: [ca] }), (client) => client.close());
  }

  /** Resolves once the gateway is ready and all of them are there. */
  static async gather(place: Place, bare: BareNats): Promise<Company> {
    const company = new Company(place, bare);
    await eventually("the gateway is ready", async () => await company.#get("/readyz") === 200, 30_000);
    const ways = [
      ["", { protocols: ["taskwire.v1.cbor"], compress: true }],
      ["&delta=1", { protocols: ["taskwire.v1.cbor"] }],
      ["&delta=1&batch=1", { compress: true }],
      ["", { protocols: ["taskwire.v1.json"] }],
    ] as const;
    const wsUrl = `wss://127.0.0.1:${place.port}/ws?topics=${TOPICS}`;
    company.#clients = await Promise.all(ways.map(async ([query, options]) => {
      const client = await TestClient.connect(wsUrl + query, { ...options, ca: [place.ca] });
      return company.#stack.use(client);
    }));
    const encryption = { keyId: "k1", keys: { k1: new Uint8Array(32).fill(1) } };
    const worker = await connectWorker(place.nats.url, { encryption, progressIntervalMs: 0 });
    company.#sealing = company.#stack.use(worker).task("sealed");
    bare.publish("taskwire.task.all.created", JSON.stringify({ name: "All parts" }));
    await bare.flush();
    company.#publisher = company.#stack.use(await connectPublisher(place.nats.url));
    return company;
  }

  /** Each of them does something; resolves when the log has it. */
  async turn(): Promise<void> {
    const turn = ++this.#turns;
    const part = `part${turn % PARTS}`;
    this.#sealing?.progress({ completed: turn, current: `secret ${turn}` });
    this.#bare.publish(
      "taskwire.task.over_nats.progress",
      cloudEvent("over_nats", turn, { completed: turn, total: null }),
    );
    await Promise.all([
      this.#post(
        "/api/events",
        cloudEvent("over_http", turn, { completed: turn, total: 1_000 }),
        CLOUD_EVENT,
      ),
      this.#post(`/api/tasks/${part}/events`, [
        { kind: "created", parent_id: "all", total: 1_000 },
        { kind: "progress", completed: turn, total: 1_000 },
      ]),
      this.#post("/api/publish", [
        { topic: "task:id:part1:log", payload: { text: `line ${turn}` } },
        { topic: "strategy:s1", payload: { equity: turn } },
      ]),
      this.#publisher?.publish("data:candles", { close: turn }, "BTCUSDT"),
      this.#clients[0]?.request("publish", { topic: "data:candles", key: "by-socket", payload: turn }),
    ]);
  }

  /** What each of the newer clients was sent: its types, and whether that was binary, in batches and compressed. */
  get told(): readonly { readonly types: ReadonlySet<string>; readonly how: string }[] {
    return this.#clients.map(({ frames, counts, isCompressed }) => ({
      types: new Set(frames.map(({ type }) => type)),
      how: [counts.binary > 0 && "binary", counts.batches > 0 && "batches", isCompressed && "compressed"]
        .filter(Boolean).join(" "),
    }));
  }

  async #get(path: string): Promise<number> {
    const response = await fetch(this.#url + path, { client: this.#http });
    await response.body?.cancel();
    return response.status;
  }

  async #post(path: string, body: unknown, type = "application/json"): Promise<void> {
    const response = await fetch(this.#url + path, {
      method: "POST",
      headers: { "content-type": type },
      body: typeof body === "string" ? body : JSON.stringify(body),
      client: this.#http,
    });
    const text = await response.text();
    if (response.status !== 202) throw new Error(`POST ${path}: ${response.status} ${text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** Progress in an envelope. */
function cloudEvent(subject: string, turn: number, data: object): string {
  const type = "taskwire.task.progress";
  return JSON.stringify({
    specversion: "1.0",
    id: `${subject}-${turn}`,
    source: "/tests",
    type,
    subject,
    data,
  });
}
