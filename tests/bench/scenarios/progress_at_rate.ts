import { type Bench, LOAD_CORE, natsServer, pause, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { monotonicMs } from "../libc.ts";
import { heldAges, lagsOf } from "../lags.ts";
import { precise, whole } from "../numbers.ts";
import { Publisher } from "../publishing.ts";
import { Receiver } from "../receiver.ts";
import type { Measured, Measures, Row, Scenario } from "../scenario.ts";
import { percentile } from "../statistics.ts";

const CLIENTS = 1_000;
/** Of one client in so many every frame is looked at. */
const LOOK_AT_EVERY = 100;
const TASKS = 100;
const RATE = 10_000;
/** The gateway's default. */
const FLUSH_MS = 20;
const SMALL = "small";
const EMPTY = { peers: "", floor: "", ratio: "", target: "", met: undefined } as const;

/** As seed clients take it, or with everything that makes it fewer bytes: deltas, in batches, deflated. */
async function ours(bench: Bench, isSmall: boolean): Promise<Measures> {
  await using nats = await natsServer();
  const settings = { NATS_URL: nats.server.url, FLUSH_MS: String(FLUSH_MS) };
  await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  await using receiver = await Receiver.start(LOAD_CORE);
  await using publisher = await Publisher.start(LOAD_CORE);
  const opening = gateway.opening(`topics=task:progress&replay=none${isSmall ? "&batch=1&delta=1" : ""}`);
  await receiver.connect("clients", {
    ...opening,
    compress: isSmall,
    batches: isSmall,
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
  const samples = report.groups["clients"]?.samples ?? [];
  const lags = lagsOf(samples, published, RATE / 2);
  const held = heldAges(samples, published, { from: RATE / 2, tasks: TASKS, everyMs: FLUSH_MS });
  const groups = Object.values(report.groups);
  return {
    p50Ms: percentile(lags, 0.5),
    p99Ms: percentile(lags, 0.99),
    heldP50Ms: percentile(held, 0.5),
    heldP99Ms: percentile(held, 0.99),
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
    "10,000 progress events a second of 100 tasks, 1,000 subscribers of `task:progress`; every frame of ten clients, " +
    "spread over all, is looked at. Two ages at p99. What comes: how old the news of a frame is when it is received. " +
    "What is held, and judged: how old the newest progress is that a client has of each single task when that is " +
    "oldest, just before newer comes, or 20 ms have passed without any. Both count from when the worker published; in " +
    "the second a task's own pace (an event every 10 ms) and the wait for the flush (20 ms) are included, so that a " +
    "gateway that took no time at all would stand at 30 ms. Besides, the gateway's processor time. Then the same with " +
    "clients that ask for batches, deltas and compression.",
  contenders: { "taskwire": (bench) => ours(bench, false), [SMALL]: (bench) => ours(bench, true) },
  rows: (measured) => [
    ...rowsOf(measured, "taskwire", ""),
    ...rowsOf(measured, SMALL, "batches, deltas, deflated: "),
    {
      ...EMPTY,
      what: "frames/s",
      ours: whole(measured.of("taskwire", "framesPerSecond")),
    },
  ],
};

function rowsOf(measured: Measured, contender: string, how: string): Row[] {
  const held = measured.of(contender, "heldP99Ms");
  const cpu = measured.of(contender, "cpu");
  return [
    {
      ...EMPTY,
      what: `${how}p99 age of the newest progress held, at its oldest, ms`,
      ours: precise(held),
      target: `≤ ${2 * FLUSH_MS} ms`,
      met: held <= 2 * FLUSH_MS,
    },
    { ...EMPTY, what: `${how}p99 age of what comes, ms`, ours: precise(measured.of(contender, "p99Ms")) },
    { ...EMPTY, what: `${how}cores`, ours: precise(cpu), target: "< 1", met: cpu < 1 },
    { ...EMPTY, what: `${how}MB/s to clients`, ours: precise(measured.of(contender, "megabytesPerSecond")) },
  ];
}
