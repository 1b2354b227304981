import * as v from "valibot";
import { type Bench, LOAD_CORE, pause, SERVER_CORE } from "./bench.ts";
import { lagsOf, lastCameMs } from "./lags.ts";
import { LineProcess } from "./line_process.ts";
import type { Publisher } from "./publishing.ts";
import { type GroupReport, type Opening, Receiver } from "./receiver.ts";
import type { Measures } from "./scenario.ts";
import { percentile } from "./statistics.ts";

const CLIENTS = 1_000;
/** Of one client in so many every frame is looked at. */
const LOOK_AT_EVERY = 100;
const TASKS = 100;
/** The lag at which a rate is too high, ms. */
const MOST_LAG_MS = 250;
/** The rate of the first step where nothing is known, events a second. */
const FIRST_RATE = 40;
/** How much faster the next step is while nothing is known, and how long such a step is, s. */
const SEARCHING = { faster: 2, seconds: 1 } as const;
/** The same once it is known about where the limit is. What overloads by 8 % is 250 ms late after some 3 s. */
const CLOSING_IN = { faster: 1.2, seconds: 3 } as const;
/** Where closing in begins, as a share of what a search, or the alternation before, has found. */
const BELOW = 0.9;
/** How close the fastest good rate and the slowest bad one are to come. */
const CLOSE = 1.08;
/** How long frames may still come after the last was published, ms. */
const LATE_MS = 2_000;

/** A server to which clients can be connected, and the NATS server that feeds it. */
export type FanOutServer = {
  readonly name: string;
  readonly opening: Omit<Opening, "count" | "read">;
  readonly natsPort: number;
  /** Whether its log is a stream, which says where the last event lies. */
  readonly stored: boolean;
};

type Load = { readonly receiver: Receiver; readonly publisher: Publisher };
type Step = {
  readonly p99Ms: number;
  readonly framesPerSecond: number;
  readonly whole: boolean;
  readonly frameBytes: number;
  readonly cpu: number;
};
type Trial = {
  readonly bench: Bench;
  readonly server: FanOutServer;
  readonly load: Load;
  /** The number of the next event. */
  from: number;
};

/**
 * Raises the rate of status changes until their lag at p99 passes {@link MOST_LAG_MS}, closes in on that rate, and
 * tells what the last good step delivered.
 */
export async function fastestFanOut(bench: Bench, server: FanOutServer, load: Load): Promise<Measures> {
  const looked = { read: "positions", lookAtEvery: LOOK_AT_EVERY } as const;
  await load.receiver.connect("clients", { ...server.opening, count: CLIENTS, ...looked });
  const trial: Trial = { bench, server, load, from: 1 };
  const about = bench.hint(server.name) ?? await searched(trial);
  const { rate, step } = await closedIn(trial, about * BELOW);
  bench.hint(server.name, rate);
  const { framesPerSecond, p99Ms, frameBytes, cpu } = step;
  return { framesPerSecond, eventsPerSecond: rate, p99Ms, receiverCpu: cpu, frameBytes };
}

/** A rate of about what it can do, found in short steps; it is not to be relied on. */
async function searched(trial: Trial): Promise<number> {
  for (let rate = FIRST_RATE, good = 0;;) {
    if ((await tried(trial, rate, SEARCHING.seconds)).isGood) good = rate;
    else if (good > 0) return good;
    else if (rate < 1) throw new Error(`${trial.server.name} keeps up with no rate`);
    rate *= good > 0 ? SEARCHING.faster : 1 / SEARCHING.faster;
  }
}

async function closedIn(trial: Trial, first: number): Promise<{ rate: number; step: Step }> {
  const seconds = trial.bench.pick<number>(CLOSING_IN.seconds, 1.5);
  let best: { readonly rate: number; readonly step: Step } | undefined;
  for (let rate = first, bad = Infinity;;) {
    const step = await tried(trial, rate, seconds);
    if (step.isGood) best = { rate, step };
    else bad = rate;
    if (best !== undefined && bad / best.rate <= CLOSE) return best;
    if (bad === Infinity) rate *= CLOSING_IN.faster;
    else rate = best === undefined ? rate / CLOSING_IN.faster : Math.sqrt(best.rate * bad);
    if (rate < 1) throw new Error(`${trial.server.name} keeps up with no rate`);
  }
}

/** One step. What was too fast is over when it resolves, and does not weigh on the next. */
async function tried(trial: Trial, rate: number, seconds: number): Promise<Step & { isGood: boolean }> {
  const { bench, server, load } = trial;
  const events = Math.max(1, Math.round(rate * seconds));
  const step = await stepAt(rate, events, trial.from, server, load);
  trial.from += events;
  const isGood = step.whole && step.p99Ms <= MOST_LAG_MS;
  bench.say(
    `    ${server.name} at ${rate.toFixed(0)} events/s: p99 ${step.p99Ms.toFixed(0)} ms, ` +
      `${step.framesPerSecond.toFixed(0)} frames/s, receiver ${(step.cpu * 100).toFixed(0)} %` +
      `${isGood ? "" : " – too fast"}`,
  );
  await settled(load.receiver);
  return { ...step, isGood };
}

async function stepAt(
  rate: number,
  events: number,
  from: number,
  { natsPort, stored }: FanOutServer,
  { receiver, publisher }: Load,
): Promise<Step> {
  await receiver.start();
  const load = { port: natsPort, workload: "status", tasks: TASKS, rate, events, from, stored } as const;
  const published = await publisher.steady(load);
  const { clients, cpu } = await complete(receiver, events);
  const startMs = published.timesMs[0] ?? 0;
  const tookMs = Math.max(lastCameMs(clients.samples) - startMs, (events / rate) * 1_000);
  return {
    p99Ms: percentile(lagsOf(clients.samples, published, from), 0.99),
    framesPerSecond: clients.frames / tookMs * 1_000,
    whole: clients.fewest >= events,
    frameBytes: clients.frameBytes,
    cpu,
  };
}

/** Waits, not for long, until every client has every frame. */
async function complete(receiver: Receiver, events: number): Promise<{ clients: GroupReport; cpu: number }> {
  for (let waitedMs = 0;; waitedMs += 100) {
    const { groups, cpu } = await receiver.report();
    const clients = groups["clients"];
    if (clients === undefined) throw new Error("the clients are gone");
    if (waitedMs >= LATE_MS || clients.fewest >= events) return { clients, cpu };
    await pause(100);
  }
}

/** Waits until nothing comes any more: a step that was too fast must not weigh on the next. */
async function settled(receiver: Receiver): Promise<void> {
  for (let before = -1;;) {
    const frames = (await receiver.report()).groups["clients"]?.frames ?? 0;
    if (frames === before) return;
    before = frames;
    await pause(100);
  }
}

/** What one write a frame reaches with frames of that size, and how busy the receiver is with many frames a write. */
export async function floorRate(bench: Bench, payloadBytes: number): Promise<Measures> {
  const one = await floorWith(bench, payloadBytes, 1);
  const eight = await floorWith(bench, payloadBytes, 8);
  bench.say(
    `    floor: ${one.framesPerSecond.toFixed(0)} frames/s (receiver ${
      (one.receiverCpu * 100).toFixed(0)
    } %); ` +
      `8 frames a write: ${eight.framesPerSecond.toFixed(0)} (receiver ${
        (eight.receiverCpu * 100).toFixed(0)
      } %)`,
  );
  return { ...one, eightAWrite: eight.framesPerSecond, receiverCpuAtEight: eight.receiverCpu };
}

async function floorWith(
  bench: Bench,
  payloadBytes: number,
  framesAWrite: number,
): Promise<{ framesPerSecond: number; receiverCpu: number; floorCpu: number }> {
  const args = [CLIENTS, payloadBytes, framesAWrite].map(String);
  await using floor = await LineProcess.start("floor.ts", { core: SERVER_CORE, args, greets: true });
  await using receiver = await Receiver.start(LOAD_CORE);
  const { port } = v.parse(v.object({ port: v.number() }), floor.hello);
  const opening = { port, path: "/", dialect: "websocket", hello: [], openAfter: 0 } as const;
  await receiver.connect("clients", { ...opening, count: CLIENTS, read: "count" });
  await pause(500); // until it runs evenly
  await receiver.start();
  const cpuMs = floor.process.cpuMs();
  await pause(bench.pick(3_000, 1_500));
  const { groups, elapsedMs, cpu } = await receiver.report();
  return {
    framesPerSecond: (groups["clients"]?.frames ?? NaN) / elapsedMs * 1_000,
    receiverCpu: cpu,
    floorCpu: (floor.process.cpuMs() - cpuMs) / elapsedMs,
  };
}
