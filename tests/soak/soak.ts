import { sleep, systemClock } from "../../src/worker/clock.ts";
import { type NatsServer, startNatsServer } from "../nats_server.ts";
import { Chance } from "../simulation/chance.ts";
import { residents } from "./crowd.ts";
import { type Finding, judge, memoryTrends, type Trend } from "./judgement.ts";
import { described, ObservedGateway } from "./observed_gateway.ts";
import type { Fault, Sample } from "./sample.ts";
import { fill, type Flood, flood, lowWater, type Shore } from "./tide.ts";
import { Truth } from "./truth.ts";

/** The logs that a gateway can be on. */
export const LOGS = ["nats", "embedded"] as const;

/** How long, on what, and with what load. */
export type SoakOptions = {
  readonly durationMs: number;
  readonly log: (typeof LOGS)[number];
  readonly seed: number;
  readonly visitors: number;
  readonly tasksPerSecond: number;
  /** Bytes a second that the gateway is made to leak, to see whether that is found. Default: none. */
  readonly leak?: number;
  /** A folder for snapshots of the heap at low water, one after the warm-up and one at the end. Default: none are taken. */
  readonly snapshots?: string;
  /** Told now and then how it goes. */
  readonly tell?: (line: string) => void;
};

/** What was seen, and what is to be thought of it. */
export type Soaked = {
  readonly options: SoakOptions;
  readonly warmUpMs: number;
  /** How it was all the time. */
  readonly samples: readonly Sample[];
  /** What is judged: how it was at low water, or all samples of a run too short for that. */
  readonly judged: readonly Sample[];
  readonly faults: readonly Fault[];
  readonly trends: { readonly heap: Trend; readonly rss: Trend };
  readonly findings: readonly Finding[];
  /** What there was of load, in words. */
  readonly load: string;
};

const MB = 1_048_576;
/** So many removals are remembered at most, and some more, before the oldest are forgotten: more tasks fill that. */
const FILLING = 12_000;
/** By then all has been used and compiled, and allocators have what they keep. */
const WARM_UP_MS = 900_000;
/** A shorter run warms up for this share of it. */
const WARM_UP_SHARE = 0.4;
const WARM = { bytesPerHour: MB, more: 8 };
/** A run shorter than this has no tides and never is warm: only a leak of ten megabytes a second can be told from that. */
const LEAST_MS = 180_000;
const COLD = { bytesPerHour: 36_000 * MB, more: Infinity };
const FLOOD_MS = 36_000;
/** How long the log keeps events, ms. */
const RETAINED_MS = 15_000;
/** The log may keep events so much shorter, as clocks and machines go. */
const MARGIN_MS = 3_000;
/** So many sockets and timers more than before anybody came may be there when all have gone: what is just closing. */
const MORE = 4;
const SAMPLE_MS = 5_000;
const LEAST_SAMPLES = 80;
const READ_MS = 500;
const MAX_TOLD = 12;

/** Lets a gateway live through all that, and says what came of it. */
export async function soak(options: SoakOptions): Promise<Soaked> {
  await using stack = new AsyncDisposableStack();
  const dataDir = await Deno.makeTempDir({ prefix: "taskwire-soak-" });
  stack.defer(() => Deno.remove(dataDir, { recursive: true }));
  const nats = options.log === "nats" ? stack.use(await startNatsServer()) : undefined;
  const settings = settingsOf(nats);
  const gateway = stack.use(await ObservedGateway.start(dataDir, settings));
  const truth = stack.use(
    await Truth.open(
      { ...settings, DATA_DIR: dataDir },
      RETAINED_MS - MARGIN_MS,
      new AbortController().signal,
    ),
  );
  const before = await gateway.sample(0, 0);
  const seen = await live(options, { gateway, nats, truth });
  const { samples, low, floods } = seen;
  const isCold = options.durationMs < LEAST_MS;
  const warmUpMs = Math.min(WARM_UP_MS, options.durationMs * WARM_UP_SHARE);
  const judged = isCold ? samples : low;
  const findings = [
    ...judge(judged, { warmUpMs, ...(isCold ? COLD : WARM) }),
    ...seen.findings,
    truthFinding(floods),
    await goneFinding(gateway, before),
    ...[...floods.flatMap(({ broken }) => broken), ...gateway.complaints]
      .map((fault) => ({ what: `FAULT: ${fault}`, isGood: false })),
    await endFinding(gateway),
  ];
  const faults = floods.flatMap((one) => one.faults);
  const sum = (of: "tasks" | "visits") => floods.reduce((total, one) => total + one[of], 0);
  const load =
    `${floods.length} tides, ${sum("tasks")} tasks, ${truth.head} events, ${sum("visits")} visits, ` +
    `${faults.length} faults`;
  const trends = memoryTrends(judged, warmUpMs);
  return { options, warmUpMs, samples, judged, faults, trends, findings, load };
}

type Seen = {
  readonly samples: readonly Sample[];
  /** How it was at low water, after each flood. */
  readonly low: readonly Sample[];
  readonly floods: readonly Flood[];
  readonly findings: readonly Finding[];
};

/** One tide after the other for as long as was asked for; a short run has a single flood. */
async function live(
  options: SoakOptions,
  parts: Pick<Shore, "gateway" | "nats" | "truth">,
): Promise<Seen> {
  const { durationMs, seed, visitors, tasksPerSecond, leak, snapshots, tell = () => {} } = options;
  const { gateway, truth } = parts;
  const chance = new Chance(seed);
  const startMs = performance.now();
  const now = () => performance.now() - startMs;
  const over = new AbortController();
  const [samples, low, floods, findings]: [Sample[], Sample[], Flood[], Finding[]] = [[], [], [], []];
  const shore: Shore = {
    ...parts,
    residents: await residents(gateway.process.port, chance),
    visitors,
    tasksPerSecond,
    retainedMs: RETAINED_MS,
    keptMs: RETAINED_MS - MARGIN_MS,
    now,
  };
  if (leak !== undefined) await gateway.leak(leak);
  const looking = [
    every(READ_MS, over.signal, () => truth.readOn().catch(() => {})), // out of reach: next time
    every(Math.min(SAMPLE_MS, durationMs / LEAST_SAMPLES), over.signal, async () => {
      samples.push(await gateway.sample(now(), truth.head));
    }),
  ];
  try {
    if (durationMs >= LEAST_MS) await fill(shore, FILLING, chance.of("filling"));
    let [tasks, isWarm] = [0, false];
    do {
      const floodMs = Math.min(FLOOD_MS, durationMs);
      const one = await flood(shore, floodMs, chance.of(`flood ${floods.length}`), tasks);
      tasks += one.tasks;
      floods.push(one);
      if (durationMs < LEAST_MS) break;
      const water = await lowWater(shore);
      if (water === undefined) {
        findings.push({ what: `after flood ${floods.length} tasks or connections STAY`, isGood: false });
        break;
      }
      low.push(water);
      tell(`${(now() / 60_000).toFixed(1)} min, low water: ${described(water)}`);
      if (isWarm || now() < WARM_UP_SHARE * durationMs || snapshots === undefined) continue;
      isWarm = true;
      await Deno.writeTextFile(`${snapshots}/warm.heapsnapshot`, await gateway.heapSnapshot());
    } while (now() < durationMs);
    if (snapshots !== undefined) {
      await Deno.writeTextFile(`${snapshots}/end.heapsnapshot`, await gateway.heapSnapshot());
    }
    return { samples, low, floods, findings };
  } finally {
    over.abort();
    await Promise.all(looking);
    for (const resident of shore.residents) await resident.leave("politely");
  }
}

/** Calls `act` at once and every so often from then on, each after the one before, until `signal` aborts. */
async function every(ms: number, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  for (let dueMs = performance.now(); !signal.aborted;) {
    await act();
    dueMs = Math.max(dueMs + ms, performance.now());
    await sleep(systemClock, Math.max(0, dueMs - performance.now()), signal).catch(() => {}); // it is over
  }
}

function settingsOf(nats: NatsServer | undefined): Record<string, string> {
  return {
    ...(nats === undefined ? {} : { NATS_URL: nats.url }),
    RETAIN_AGE: `${RETAINED_MS}ms`,
    DEDUP_WINDOW: `${RETAINED_MS / 2}ms`,
    TAIL_EVENTS: "2000",
    HEARTBEAT_MS: "2000",
    IDLE_MS: "6000",
    SQLITE_SYNC: "process",
  };
}

function truthFinding(floods: readonly Flood[]): Finding {
  const wrong = floods.flatMap((one) => one.wrong);
  const compared = floods.reduce((sum, one) => sum + one.compared, 0);
  if (wrong.length === 0) {
    const gaps = Math.max(...floods.map((one) => one.gaps));
    const what =
      `${compared} times a client knew what the log says; those who stayed were told of ${gaps} gaps`;
    return { what, isGood: true };
  }
  return {
    what: `somebody knows OTHERWISE than the log:\n    ${wrong.slice(0, MAX_TOLD).join("\n    ")}`,
    isGood: false,
  };
}

/** When everybody has left there must not be more than there was before they came. */
async function goneFinding(gateway: ObservedGateway, before: Sample): Promise<Finding> {
  for (const untilMs = performance.now() + RETAINED_MS;;) {
    const { connections, handles, timers, threads } = await gateway.sample(0, 0);
    const isGood = connections === 0 && handles <= before.handles + MORE && timers <= before.timers + MORE;
    const what =
      `when everybody has left: ${connections} connections, ${handles} handles (${before.handles} before), ` +
      `${timers} timers (${before.timers} before), ${threads} threads (${before.threads} before)`;
    if (isGood || performance.now() > untilMs) return { what: isGood ? what : `${what}: some STAY`, isGood };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function endFinding(gateway: ObservedGateway): Promise<Finding> {
  try {
    await gateway.leave();
    return { what: "told to end it ends in order", isGood: true };
  } catch (error) {
    return { what: `told to end: ${error}`, isGood: false };
  }
}
