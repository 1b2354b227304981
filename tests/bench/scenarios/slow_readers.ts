import { type Bench, LOAD_CORE, natsServer, pause, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { lagsOf } from "../lags.ts";
import { megabytes, precise, times, whole } from "../numbers.ts";
import { PeakMemory } from "../peak_memory.ts";
import { Publisher } from "../publishing.ts";
import { Receiver } from "../receiver.ts";
import type { Contender, Measures, Scenario } from "../scenario.ts";
import { percentile } from "../statistics.ts";
import { MIXED_EVERY } from "../workload.ts";

const CLIENTS = 1_000;
const SLOW = 100;
/** Of one healthy client in so many every frame is looked at. */
const LOOK_AT_EVERY = 100;
/** Enough that what the slow do not read fills the 3 MB that the kernel takes for each of them. */
const TASKS = 20;
const RATE = 5_000;
const MOST_MEGABYTES = 64;
const MOST_RATIO = 1.5;
/** How long the slow may take to read what they missed, ms. */
const CATCH_UP_MS = 60_000;

/** The run with slow clients, or without: then those are as quick as all others. */
function run(slow: boolean): Contender {
  return async (bench: Bench): Promise<Measures> => {
    const events = RATE * bench.pick(30, 20);
    const statuses = events / MIXED_EVERY;
    await using nats = await natsServer();
    const settings = { NATS_URL: nats.server.url };
    await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
    await using receiver = await Receiver.start(LOAD_CORE);
    await using publisher = await Publisher.start(LOAD_CORE);
    const load = { port: nats.port, workload: "mixed", tasks: TASKS } as const;
    // Known before, so that the first event of a task is no status change of its own.
    await publisher.burst({ ...load, workload: "progress", events: TASKS, from: 0 });
    const opening = gateway.opening("topics=task:progress,task:status&replay=none");
    const looked = { read: "positions", lookAtEvery: LOOK_AT_EVERY } as const;
    await receiver.connect("healthy", { ...opening, count: CLIENTS - SLOW, ...looked });
    await receiver.connect("slow", {
      ...opening,
      count: SLOW,
      read: "statuses",
      until: { statuses },
      ...(slow ? { receiveBufferBytes: 4_096 } : {}),
    });
    if (slow) await receiver.reading("slow", false);
    await receiver.start();
    using peak = new PeakMemory(gateway.process);
    const published = await publisher.steady({ ...load, rate: RATE, events, from: 0, stored: true });
    await pause(500);
    const { groups } = await receiver.report();
    const lags = lagsOf(groups["healthy"]?.samples ?? [], published, 0);
    const peakBytesBeforeReading = peak.bytes;
    const behind = await gateway.metric("taskwire_connections", 'state="behind"');
    if (slow) await receiver.reading("slow", true);
    const reached = await receiver.reached("slow", CATCH_UP_MS);
    await pause(500); // for what must not come
    const after = (await receiver.report()).groups["slow"]?.statuses;
    return {
      p50Ms: percentile(lags, 0.5),
      p99Ms: percentile(lags, 0.99),
      peakBytesBeforeReading,
      peakBytes: peak.bytes,
      wrong: Math.abs(statuses * SLOW - (after?.total ?? 0)) + (after?.doubles ?? NaN),
      behind,
      served: reached.count,
    };
  };
}

/** D: clients that do not read. */
export const slowReaders: Scenario = {
  name: "D",
  title: "Slow readers",
  about:
    "1,000 clients of `task:progress,task:status`; 5,000 events a second of 20 tasks for 30 s, one in a hundred a " +
    "status change. Once all read, once every tenth never does. Afterwards the slow ones read again and are held to " +
    "every status change; memory is the most that was held from the first event until they had them all. The lag is " +
    "that of every frame of nine healthy clients, spread over all: one in a hundred is looked at.",
  contenders: { "all read": run(false), "some do not": run(true) },
  rows: (measured) => {
    const [quick, slow] = ["all read", "some do not"];
    const row = { peers: "", floor: "", ratio: "" };
    const more = measured.of(slow, "peakBytes") - measured.of(quick, "peakBytes");
    const ratio = measured.ratio(slow, quick, "p99Ms");
    const behind = measured.of(slow, "behind");
    const wrong = measured.worst(slow, "wrong");
    return [
      {
        ...row,
        what: "memory above the run without, at the peak, the catching up included",
        ours: `${megabytes(more)}, ${whole(behind)} clients behind`,
        target: `≤ ${MOST_MEGABYTES} MB`,
        // Who did not fall behind was not slow, and proves nothing.
        met: more <= MOST_MEGABYTES * 1_048_576 && behind >= SLOW,
      },
      {
        ...row,
        what: "p99 of the healthy, ms",
        ours: precise(measured.of(slow, "p99Ms")),
        floor: `without: ${precise(measured.of(quick, "p99Ms"))}`,
        ratio: times(ratio),
        target: `≤ ${MOST_RATIO} ×`,
        met: ratio <= MOST_RATIO,
      },
      {
        ...row,
        what: "status changes that the slow missed or got twice",
        ours: whole(wrong),
        target: "0",
        met: wrong === 0,
      },
    ];
  },
};
