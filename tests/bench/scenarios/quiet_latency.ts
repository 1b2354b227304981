import { type Bench, LOAD_CORE, pause, portOf, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { lagsOf } from "../lags.ts";
import { precise, times } from "../numbers.ts";
import { coreSubscription, orderedConsumer } from "../peers/nats_websocket.ts";
import type { PeerOpening } from "../peers/peer.ts";
import { Publisher } from "../publishing.ts";
import { Receiver } from "../receiver.ts";
import type { Measured, Measures, Row, Scenario } from "../scenario.ts";
import { percentile } from "../statistics.ts";
import { natsServerWithStream } from "../stream.ts";

const RATE = 50;
/** The last frame may still be on its way when the last event was stored, ms. */
const ON_THE_WAY_MS = 200;

async function latency(bench: Bench, natsPort: number, opening: PeerOpening): Promise<Measures> {
  await using receiver = await Receiver.start(LOAD_CORE);
  await using publisher = await Publisher.start(LOAD_CORE);
  await receiver.connect("client", { ...opening, count: 1, read: "positions" });
  const load = { port: natsPort, workload: "status", tasks: 10, rate: RATE, stored: true } as const;
  await publisher.steady({ ...load, events: RATE, from: 1 }); // warm
  await pause(ON_THE_WAY_MS);
  await receiver.start();
  const events = bench.pick(500, 150);
  const published = await publisher.steady({ ...load, events, from: 1 + RATE });
  await pause(ON_THE_WAY_MS);
  const { groups } = await receiver.report();
  // NATS hands on the event itself, which has its number; a frame has its position in the stream.
  const numbered = opening.dialect === "nats" ? { ...published, lastSeq: null } : published;
  const lags = lagsOf(groups["client"]?.samples ?? [], numbered, 1 + RATE);
  if (lags.length !== events) throw new Error(`${lags.length} of ${events} events came`);
  return { p50Ms: percentile(lags, 0.5), p99Ms: percentile(lags, 0.99) };
}

async function ours(bench: Bench): Promise<Measures> {
  await using nats = await natsServerWithStream(bench);
  const settings = { NATS_URL: nats.server.url };
  await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  return await latency(bench, nats.port, gateway.opening("topics=task:status&replay=none"));
}

function straight(opening: (port: number) => PeerOpening) {
  return async (bench: Bench): Promise<Measures> => {
    await using nats = await natsServerWithStream(bench);
    return await latency(bench, nats.port, opening(portOf(nats.server.wsUrl)));
  };
}

function row(measured: Measured, measure: string, most: number): Row {
  const ms = (contender: string) => precise(measured.of(contender, measure));
  const ratio = measured.ratio("taskwire", "ordered consumer", measure);
  return {
    what: `${measure.slice(0, 3)}, ms`,
    ours: ms("taskwire"),
    peers: `ordered consumer ${ms("ordered consumer")}`,
    floor: `core subscription ${ms("core subscription")}`,
    ratio: times(ratio),
    target: `≤ ${most} ×`,
    met: ratio <= most,
  };
}

/** B: how long an event takes to a client while all is quiet. */
export const quietLatency: Scenario = {
  name: "B",
  title: "Quiet latency through JetStream",
  about:
    "One status change every 20 ms, published → received by one client. Compared with a client that runs an " +
    "ordered consumer itself on nats-server's own WebSocket, spoken as barely as ours; its core subscription, " +
    "which remembers nothing, is the physical limit.",
  contenders: {
    "taskwire": ours,
    "ordered consumer": straight(orderedConsumer),
    "core subscription": straight(coreSubscription),
  },
  rows: (measured) => [row(measured, "p50Ms", 1.5), row(measured, "p99Ms", 2)],
};
