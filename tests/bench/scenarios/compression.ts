import { jsonBatch } from "../../../src/protocol/codec.ts";
import { deflated } from "../../../src/transport/deflated.ts";
import * as v from "valibot";
import { type Bench, LOAD_CORE, natsServer, pause, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { LineProcess } from "../line_process.ts";
import { precise, times, whole } from "../numbers.ts";
import { progressBatch } from "../progress_batch.ts";
import { Publisher } from "../publishing.ts";
import { Receiver } from "../receiver.ts";
import type { Measures, Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

const CLIENTS = 1_000;
const TASKS = 100;
const RATE = 2_000;
/** The gateway's default: with that rate a flush brings forty tasks. */
const FLUSH_MS = 20;
const TASKS_A_FLUSH = RATE * FLUSH_MS / 1_000;
/** Between two messages of the peer, so that it keeps up, ms. */
const PEER_EVERY_MS = 1_000;
const MOST_SHARE = 1 / 50;
const LATE_MS = 60_000;

/** What a flush costs the gateway in all and each client in bytes. */
async function gateway(bench: Bench, compress: boolean): Promise<Measures> {
  await using nats = await natsServer();
  const settings = { NATS_URL: nats.server.url, FLUSH_MS: String(FLUSH_MS) };
  await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  await using receiver = await Receiver.start(LOAD_CORE);
  await using publisher = await Publisher.start(LOAD_CORE);
  const opening = gateway.opening("topics=task:progress&replay=none&batch=1");
  await receiver.connect("clients", { ...opening, count: CLIENTS, read: "count", compress });
  const load = { port: nats.port, workload: "progress", tasks: TASKS, rate: RATE, stored: true } as const;
  await publisher.steady({ ...load, events: RATE, from: 0 }); // the tasks become known, the code warm
  await pause(500);
  await receiver.start();
  const cpuMs = gateway.process.cpuMs();
  await publisher.steady({ ...load, events: RATE * bench.pick(8, 3), from: RATE });
  await pause(500);
  const spentMs = gateway.process.cpuMs() - cpuMs;
  const { frames = NaN, bytes = NaN } = (await receiver.report()).groups["clients"] ?? {};
  const flushes = frames / CLIENTS;
  return { cpuMsAFlush: spentMs / flushes, bytesAFlush: bytes / frames, flushes };
}

/** The processor time that deflating one flush takes us, however many it is for, ms. */
function deflating(): number {
  const spent = (pack: typeof jsonBatch.pack, flush: number): number => {
    const payloads = progressBatch(flush, TASKS_A_FLUSH);
    const startMs = performance.now();
    pack(payloads, flush);
    return performance.now() - startMs;
  };
  const extra: number[] = [];
  for (let flush = 0; flush < 500; flush++) {
    extra.push(spent(deflated(jsonBatch).pack, flush) - spent(jsonBatch.pack, flush));
  }
  return median(extra.slice(100));
}

async function ours(bench: Bench): Promise<Measures> {
  const plain = await gateway(bench, false);
  const compressed = await gateway(bench, true);
  return {
    deflateMs: deflating(),
    cpuMsAFlush: compressed["cpuMsAFlush"] ?? NaN,
    plainCpuMsAFlush: plain["cpuMsAFlush"] ?? NaN,
    bytesAFlush: compressed["bytesAFlush"] ?? NaN,
    plainBytesAFlush: plain["bytesAFlush"] ?? NaN,
  };
}

async function wsWith(bench: Bench, compress: boolean): Promise<{ cpuMs: number; bytes: number }> {
  const args = [compress ? "deflate" : "plain"];
  await using server = await LineProcess.start("peers/ws_deflate.ts", {
    core: SERVER_CORE,
    args,
    greets: true,
  });
  await using receiver = await Receiver.start(LOAD_CORE);
  const { port } = v.parse(v.object({ port: v.number() }), server.hello);
  const opening = { port, path: "/", dialect: "websocket", hello: [], openAfter: 0 } as const;
  await receiver.connect("clients", { ...opening, count: CLIENTS, read: "count", compress });
  const sent = async (flushes: number): Promise<number> => {
    await receiver.start();
    await server.ask({ flushes, everyMs: PEER_EVERY_MS, tasks: TASKS_A_FLUSH });
    for (let waitedMs = 0; waitedMs < LATE_MS; waitedMs += 100) {
      const { groups } = await receiver.report();
      const { fewest = 0, bytes = NaN, frames = NaN } = groups["clients"] ?? {};
      if (fewest >= flushes) return bytes / frames;
      await pause(100);
    }
    throw new Error("ws did not keep up");
  };
  await sent(2); // the code warm, every connection's compressor made
  const before = server.process.cpuMs();
  const flushes = bench.pick(10, 4);
  const bytes = await sent(flushes);
  return { cpuMs: (server.process.cpuMs() - before) / flushes, bytes };
}

async function ws(bench: Bench): Promise<Measures> {
  const plain = await wsWith(bench, false);
  const compressed = await wsWith(bench, true);
  return {
    deflateMs: compressed.cpuMs - plain.cpuMs,
    cpuMsAFlush: compressed.cpuMs,
    plainCpuMsAFlush: plain.cpuMs,
    bytesAFlush: compressed.bytes,
    plainBytesAFlush: plain.bytes,
  };
}

/** J: what compression costs, and saves. */
export const compression: Scenario = {
  name: "J",
  title: "Compression",
  about:
    "1,000 subscribers of `task:progress` in batches, 2,000 events a second of 100 tasks: flushes of some forty tasks, each " +
    "deflated once for all. Compared with `ws` sending messages of the same frames, which it deflates for each connection, with " +
    "what it had sent before as context. To compress: of the gateway what its codec takes longer for a flush than without; of `ws` " +
    "how much more processor time its process takes than without. In all: of either process, for one message to everybody.",
  contenders: { "taskwire": ours, "ws": ws },
  rows: (measured) => {
    const of = (measure: string) => [measured.of("taskwire", measure), measured.of("ws", measure)] as const;
    const row = { floor: "", target: "", met: undefined };
    const [deflateMs, wsDeflateMs] = of("deflateMs");
    const share = measured.ratio("taskwire", "ws", "deflateMs");
    const [cpuMs, wsCpuMs] = of("cpuMsAFlush");
    const [plainMs, wsPlainMs] = of("plainCpuMsAFlush");
    const [bytes, wsBytes] = of("bytesAFlush");
    const [plainBytes, wsPlainBytes] = of("plainBytesAFlush");
    return [
      {
        ...row,
        what: "ms of processor time to compress a flush",
        ours: deflateMs.toFixed(3),
        peers: `ws ${precise(wsDeflateMs)}`,
        ratio: `1/${whole(1 / share)}`,
        target: "≤ 1/50",
        met: share <= MOST_SHARE,
      },
      {
        ...row,
        what: "the same, of a flush in all (uncompressed)",
        ours: `${precise(cpuMs)} (${precise(plainMs)})`,
        peers: `ws ${precise(wsCpuMs)} (${precise(wsPlainMs)})`,
        ratio: times(cpuMs / wsCpuMs),
      },
      {
        ...row,
        what: "bytes of a flush (uncompressed)",
        ours: `${whole(bytes)} (${whole(plainBytes)})`,
        peers: `ws ${whole(wsBytes)} (${whole(wsPlainBytes)})`,
        ratio: times(bytes / wsBytes),
      },
    ];
  },
};
