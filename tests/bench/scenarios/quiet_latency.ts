import * as v from "valibot";
import type { Connect } from "../browser_client.ts";
import { type Bench, LOAD_CORE, pause, portOf, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { lagsOf } from "../lags.ts";
import { LineProcess } from "../line_process.ts";
import { precise, times } from "../numbers.ts";
import { coreSubscription, orderedConsumer } from "../peers/nats_websocket.ts";
import { Peer } from "../peers/peer.ts";
import { type Published, Publisher } from "../publishing.ts";
import { type Opening, Receiver } from "../receiver.ts";
import type { Contender, Measured, Measures, Row, Scenario } from "../scenario.ts";
import { percentile } from "../statistics.ts";
import { natsServerWithStream } from "../stream.ts";

type Nats = Awaited<ReturnType<typeof natsServerWithStream>>;
type Samples = { readonly positions: number[]; readonly timesMs: number[] };
/** A client that is connected; it tells what came since it was asked last. */
type Client = AsyncDisposable & { came(): Promise<Samples> };

const RATE = 50;
/** Not told of, until the server is warm, and with it the first client; and until the second client is. */
const WARMING = { server: 10_000, client: 2_000 } as const;
const WARMING_RATE = 2_000;
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

/** Both kinds of client, one after the other, of one server; the load is the same to both. */
async function latencies(
  bench: Bench,
  { nats, browser, bare, numbered }: {
    readonly nats: Nats;
    readonly browser: Connect;
    readonly bare: Omit<Opening, "count" | "read">;
    /** NATS hands on the event itself, which has its number; a frame has its position in the stream. */
    readonly numbered: boolean;
  },
): Promise<Measures> {
  await using publisher = await Publisher.start(LOAD_CORE);
  let from = 1;
  const publish = async (rate: number, events: number): Promise<Published & { from: number }> => {
    const load = { port: nats.port, workload: "status", tasks: 10, stored: true } as const;
    const published = await publisher.steady({ ...load, rate, events, from });
    await pause(ON_THE_WAY_MS);
    from += events;
    return { ...published, lastSeq: numbered ? null : published.lastSeq, from: from - events };
  };
  const lagsTo = async (client: Client, warming: number): Promise<number[]> => {
    await publish(WARMING_RATE, warming);
    await client.came();
    const published = await publish(RATE, bench.pick(400, 150));
    const lags = lagsOf([await client.came()], published, published.from);
    if (lags.length !== published.timesMs.length) {
      throw new Error(`${lags.length} of ${published.timesMs.length} events came`);
    }
    return lags;
  };
  const [first, second] = [() => browserClient(browser), () => bareClient(bare)];
  const lags = await withClient(first, (client) => lagsTo(client, WARMING.server));
  const bareLags = await withClient(second, (client) => lagsTo(client, WARMING.client));
  return {
    p50Ms: percentile(lags, 0.5),
    p99Ms: percentile(lags, 0.99),
    bareP50Ms: percentile(bareLags, 0.5),
    bareP99Ms: percentile(bareLags, 0.99),
  };
}

/** The client is gone when it resolves. */
async function withClient<T>(make: () => Promise<Client>, use: (client: Client) => Promise<T>): Promise<T> {
  await using client = await make();
  return await use(client);
}

async function ours(bench: Bench): Promise<Measures> {
  await using nats = await natsServerWithStream(bench);
  const settings = { NATS_URL: nats.server.url };
  await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  return await latencies(bench, {
    nats,
    browser: { to: "gateway", url: `ws://127.0.0.1:${gateway.port}/ws?${QUERY}` },
    bare: gateway.opening(QUERY),
    numbered: false,
  });
}

async function relay(bench: Bench): Promise<Measures> {
  await using nats = await natsServerWithStream(bench);
  await using peer = await Peer.start("relay", { core: SERVER_CORE, natsUrl: nats.server.url });
  const { opening } = peer;
  const browser = { to: "relay", url: `ws://127.0.0.1:${opening.port}` } as const;
  return await latencies(bench, { nats, browser, bare: opening, numbered: true });
}

function straight(to: "ordered consumer" | "core subscription"): Contender {
  const opening = to === "ordered consumer" ? orderedConsumer : coreSubscription;
  return async (bench) => {
    await using nats = await natsServerWithStream(bench);
    const url = nats.server.wsUrl;
    return await latencies(bench, { nats, browser: { to, url }, bare: opening(portOf(url)), numbered: true });
  };
}

/** `measure` of all contenders. */
function row(measured: Measured, measure: string, what: string, most?: number): Row {
  const ms = (contender: string) => precise(measured.of(contender, measure));
  const ratio = measured.ratio("taskwire", "ordered consumer", measure);
  return {
    what,
    ours: ms("taskwire"),
    peers: `ordered consumer ${ms("ordered consumer")}`,
    floor: `core subscription ${ms("core subscription")}, over a relay ${ms("relay")}`,
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
    "nats-server's own WebSocket; a core subscription, which remembers nothing, is the physical limit. The same core " +
    "subscription over a relay tells what a hop over this runtime costs at the least: a program that hands on bytes " +
    "unread. Beside it all four by bare sockets, where the client costs nothing and the hop is all that differs. " +
    "Before, 10,000 events are sent at 2,000 a second, so that the code is warm.",
  contenders: {
    "taskwire": ours,
    "ordered consumer": straight("ordered consumer"),
    "core subscription": straight("core subscription"),
    relay,
  },
  rows: (measured) => [
    row(measured, "p50Ms", "p50, ms", 1.5),
    row(measured, "p99Ms", "p99, ms", 2),
    row(measured, "bareP50Ms", "p50, ms, bare clients"),
    row(measured, "bareP99Ms", "p99, ms, bare clients"),
  ],
};
