import * as v from "valibot";
import type { Connect } from "../browser_client.ts";
import { type Bench, LOAD_CORE, pause, portOf, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { lagsOf } from "../lags.ts";
import { LineProcess } from "../line_process.ts";
import { precise, times } from "../numbers.ts";
import { coreSubscription, orderedConsumer } from "../peers/nats_websocket.ts";
import { type Published, Publisher } from "../publishing.ts";
import { type Opening, Receiver } from "../receiver.ts";
import type { Contender, Measured, Measures, Row, Scenario } from "../scenario.ts";
import { percentile } from "../statistics.ts";
import { natsServerWithStream } from "../stream.ts";

type Nats = Awaited<ReturnType<typeof natsServerWithStream>>;
type Samples = { readonly positions: number[]; readonly timesMs: number[] };
/** A client that is connected; it tells what came since it was asked last. */
type Client = AsyncDisposable & { came(): Promise<Samples> };
type Whom = Connect["to"];

const RATE = 50;
/** Not told of, until everything is warm. */
const WARMING = 10_000;
/** The last frame may still be on its way when the last event was stored, ms. */
const ON_THE_WAY_MS = 200;
const QUERY = "topics=task:status&replay=none";

const Came = v.object({ positions: v.array(v.number()), timesMs: v.array(v.number()) });

/** A client in the runtime that it would have in a browser, or nearly so. */
async function browserClient(connect: Connect): Promise<Client> {
  const process = await LineProcess.start("browser_client.ts", { core: LOAD_CORE });
  await process.ask(connect);
  return {
    came: async () => v.parse(Came, await process.ask({})),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** A client that costs no more than its system calls. */
async function bareClient(opening: Omit<Opening, "count" | "read">): Promise<Client> {
  const receiver = await Receiver.start(LOAD_CORE);
  await receiver.connect("client", { ...opening, count: 1, read: "positions" });
  return {
    async came() {
      const [samples] = (await receiver.report()).groups["client"]?.samples ?? [];
      await receiver.start();
      return samples ?? { positions: [], timesMs: [] };
    },
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}

async function latency(bench: Bench, natsPort: number, client: Client, numbered: boolean): Promise<Measures> {
  await using publisher = await Publisher.start(LOAD_CORE);
  const load = { port: natsPort, workload: "status", tasks: 10, rate: RATE, stored: true } as const;
  await publisher.steady({ ...load, rate: 2_000, events: WARMING, from: 1 });
  await pause(ON_THE_WAY_MS);
  await client.came();
  const events = bench.pick(500, 150);
  const published: Published = await publisher.steady({ ...load, events, from: 1 + WARMING });
  await pause(ON_THE_WAY_MS);
  // NATS hands on the event itself, which has its number; a frame has its position in the stream.
  const lags = lagsOf(
    [await client.came()],
    numbered ? { ...published, lastSeq: null } : published,
    1 + WARMING,
  );
  if (lags.length !== events) throw new Error(`${lags.length} of ${events} events came`);
  return { p50Ms: percentile(lags, 0.5), p99Ms: percentile(lags, 0.99) };
}

function ours(connect: (gateway: Gateway) => Promise<Client>): Contender {
  return async (bench) => {
    await using nats = await natsServerWithStream(bench);
    const settings = { NATS_URL: nats.server.url };
    await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
    await using client = await connect(gateway);
    return await latency(bench, nats.port, client, false);
  };
}

function straight(connect: (nats: Nats) => Promise<Client>): Contender {
  return async (bench) => {
    await using nats = await natsServerWithStream(bench);
    await using client = await connect(nats);
    return await latency(bench, nats.port, client, true);
  };
}

const browser = (to: Whom) => straight(({ server }) => browserClient({ to, url: server.wsUrl }));

/** What is compared with what: `clients` is how the contenders' names go on. */
function row(measured: Measured, clients: "" | ", bare", measure: "p50Ms" | "p99Ms", most?: number): Row {
  const ms = (contender: Whom | "taskwire") => precise(measured.of(`${contender}${clients}`, measure));
  const ratio = measured.ratio(`taskwire${clients}`, `ordered consumer${clients}`, measure);
  return {
    what: `${measure.slice(0, 3)}, ms${clients === "" ? "" : ", bare clients"}`,
    ours: ms("taskwire"),
    peers: `ordered consumer ${ms("ordered consumer")}`,
    floor: `core subscription ${ms("core subscription")}`,
    ratio: times(ratio),
    target: most === undefined ? "" : `≤ ${most} ×`,
    met: most === undefined ? undefined : ratio <= most,
  };
}

/** B: how long an event takes to a client while all is quiet. */
export const quietLatency: Scenario = {
  name: "B",
  title: "Quiet latency through JetStream",
  about:
    "One status change every 20 ms, published → in the client's hands. The client is one as in a browser (the " +
    "runtime's `WebSocket`, `JSON.parse`), compared with the same running an ordered consumer itself by `nats.ws` on " +
    "nats-server's own WebSocket; a core subscription, which remembers nothing, is the physical limit. Beside it all " +
    "three by bare sockets, where the client costs nothing and the hop over the gateway is all that differs.",
  contenders: {
    "taskwire": ours(({ port }) =>
      browserClient({ to: "gateway", url: `ws://127.0.0.1:${port}/ws?${QUERY}` })
    ),
    "ordered consumer": browser("ordered consumer"),
    "core subscription": browser("core subscription"),
    "taskwire, bare": ours((gateway) => bareClient(gateway.opening(QUERY))),
    "ordered consumer, bare": straight(({ server }) => bareClient(orderedConsumer(portOf(server.wsUrl)))),
    "core subscription, bare": straight(({ server }) => bareClient(coreSubscription(portOf(server.wsUrl)))),
  },
  rows: (measured) => [
    row(measured, "", "p50Ms", 1.5),
    row(measured, "", "p99Ms", 2),
    row(measured, ", bare", "p50Ms"),
    row(measured, ", bare", "p99Ms"),
  ],
};
