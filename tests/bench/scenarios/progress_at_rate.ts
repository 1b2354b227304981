import { type Bench, LOAD_CORE, natsServer, pause, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { monotonicMs } from "../libc.ts";
import { lagsOf } from "../lags.ts";
import { precise, whole } from "../numbers.ts";
import { Publisher } from "../publishing.ts";
import { Receiver } from "../receiver.ts";
import type { Measures, Scenario } from "../scenario.ts";
import { percentile } from "../statistics.ts";

const CLIENTS = 1_000;
/** Of one client in so many every frame is looked at. */
const LOOK_AT_EVERY = 100;
const TASKS = 100;
const RATE = 10_000;
/** The gateway's default. */
const FLUSH_MS = 20;

async function ours(bench: Bench): Promise<Measures> {
  await using nats = await natsServer();
  const settings = { NATS_URL: nats.server.url, FLUSH_MS: String(FLUSH_MS) };
  await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  await using receiver = await Receiver.start(LOAD_CORE);
  await using publisher = await Publisher.start(LOAD_CORE);
  const opening = gateway.opening("topics=task:progress&replay=none");
  await receiver.connect("clients", {
    ...opening,
    count: CLIENTS,
    read: "positions",
    lookAtEvery: LOOK_AT_EVERY,
  });
  const load = { port: nats.port, workload: "progress", tasks: TASKS, rate: RATE, stored: true } as const;
  await publisher.steady({ ...load, events: RATE / 2, from: 0 }); // the tasks become known, the code warm
  await pause(500);
  await receiver.start();
  const [cpuMs, startMs] = [gateway.process.cpuMs(), monotonicMs()];
  const published = await publisher.steady({ ...load, events: RATE * bench.pick(8, 2), from: RATE / 2 });
  const cpu = (gateway.process.cpuMs() - cpuMs) / (monotonicMs() - startMs);
  await pause(500);
  const report = await receiver.report();
  const lags = lagsOf(report.groups["clients"]?.samples ?? [], published, RATE / 2);
  const groups = Object.values(report.groups);
  return {
    p50Ms: percentile(lags, 0.5),
    p99Ms: percentile(lags, 0.99),
    cpu,
    framesPerSecond: groups.reduce((sum, { frames }) => sum + frames, 0) / report.elapsedMs * 1_000,
    megabytesPerSecond: groups.reduce((sum, { bytes }) => sum + bytes, 0) / report.elapsedMs / 1_048,
    fewest: Math.min(...groups.map(({ fewest }) => fewest)),
    most: Math.max(...groups.map(({ most }) => most)),
    receiverCpu: report.cpu,
  };
}

/** A′: fan-out of progress, of which only the newest counts. */
export const progressAtRate: Scenario = {
  name: "A′",
  title: "Fan-out of progress",
  about:
    "10,000 progress events a second of 100 tasks, 1,000 subscribers of `task:progress`. Measured: how old the " +
    "news of a frame is when it comes (published → received, ten clients of which every frame is read), and the " +
    "gateway's processor time.",
  contenders: { "taskwire": ours },
  rows: (measured) => {
    const p99 = measured.of("taskwire", "p99Ms");
    const cpu = measured.of("taskwire", "cpu");
    const row = { peers: "", floor: "", ratio: "" };
    return [
      {
        ...row,
        what: "p99 age, ms",
        ours: precise(p99),
        target: `≤ ${2 * FLUSH_MS} ms`,
        met: p99 <= 2 * FLUSH_MS,
      },
      { ...row, what: "cores", ours: precise(cpu), target: "< 1", met: cpu < 1 },
      {
        ...row,
        what: "frames/s",
        ours: whole(measured.of("taskwire", "framesPerSecond")),
        target: "",
        met: undefined,
      },
    ];
  },
};
