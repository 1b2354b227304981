import { type Bench, LOAD_CORE, natsServer, pause, SERVER_CORE, settledMemory } from "../bench.ts";
import type { Point } from "../fit.ts";
import { Gateway } from "../gateway.ts";
import { collectGarbage } from "../inspector.ts";
import { Publisher } from "../publishing.ts";
import { Receiver, type Report } from "../receiver.ts";
import type { Curve } from "./curve.ts";

/** A process opens 20,000 files at most where this was written, and a gateway needs some for itself. */
const CONNECTIONS = [1_000, 2_500, 5_000, 10_000, 19_000];
const FEW_CONNECTIONS = [200, 400, 800];
/** A third of the default, so that every connection is pinged in a short time. */
const HEARTBEAT_MS = 10_000;
const TASKS = 100;
/** Status changes one by one, each of which is a write of its own. */
const SINGLE = { rate: 4, events: 20 } as const;
/** Status changes at once, of which the first goes alone and the rest in one flush. */
const BURST = { rate: 50_000, events: 20, every: 500, times: 10 } as const;
const LATE_MS = 20_000;

/** What the gateway used, beyond what it uses when nothing happens, for so many frames. */
type Work = { readonly frames: number; readonly cpuMs: number };
type Stage = {
  readonly connections: number;
  /** How many of them were new at this stage, and the processor time that connecting took, ms. */
  readonly added: number;
  readonly connectMs: number;
  readonly bytes: number;
  /** Processor time a second when nothing happens, ms. */
  readonly idleMs: number;
  readonly single: Work;
  readonly burst: Work;
  readonly frameBytes: number;
};

/** What connections cost a gateway: memory, time when nothing happens, and time for each frame. */
export async function connectionCurves(bench: Bench): Promise<readonly Curve[]> {
  await using nats = await natsServer();
  const settings = {
    NATS_URL: nats.server.url,
    HEARTBEAT_MS: String(HEARTBEAT_MS),
    HANDSHAKES_PER_SECOND: "100000",
    HANDSHAKES_BURST: "100000",
  };
  const options = { core: SERVER_CORE, dataDir: await bench.folder(), settings, inspect: true };
  await using gateway = await Gateway.start(options);
  await using receiver = await Receiver.start(LOAD_CORE);
  await using publisher = await Publisher.start(LOAD_CORE);
  const under: Under = { bench, gateway, receiver, publisher, natsPort: nats.port, from: 0 };
  await warmed(under);
  const stages: Stage[] = [];
  for (const connections of bench.pick(CONNECTIONS, FEW_CONNECTIONS)) {
    const stage = await staged(under, connections, stages.at(-1)?.connections ?? 0);
    stages.push(stage);
    bench.say(
      `    ${connections} connections: ${(stage.bytes / 2 ** 20).toFixed(0)} MB, idle ${
        stage.idleMs.toFixed(1)
      } ms/s, ` +
        `${stage.single.frames} frames one by one ${stage.single.cpuMs.toFixed(0)} ms, ` +
        `${stage.burst.frames} together ${stage.burst.cpuMs.toFixed(0)} ms`,
    );
  }
  return curvesOf(stages);
}

type Under = {
  readonly bench: Bench;
  readonly gateway: Gateway;
  readonly receiver: Receiver;
  readonly publisher: Publisher;
  readonly natsPort: number;
  /** The number of the next event. */
  from: number;
};

/** The tasks become known and the code warm before anything is measured. */
async function warmed(under: Under): Promise<void> {
  await under.receiver.connect("first", { ...openingOf(under), count: 10 });
  for (let i = 0; i < 20; i++) await published(under, BURST);
}

function openingOf({ gateway }: Under) {
  return { ...gateway.opening("topics=task:status&replay=none"), read: "count" } as const;
}

async function staged(under: Under, connections: number, before: number): Promise<Stage> {
  const { bench, gateway: { process }, receiver } = under;
  const added = connections - before;
  const cpuMs = process.cpuMs();
  await receiver.connect(`to ${connections}`, { ...openingOf(under), count: added });
  const connectMs = process.cpuMs() - cpuMs;
  await pause(1_000);
  await collectGarbage(process);
  const bytes = await settledMemory(bench, process);
  const idleMs = await idle(under);
  const single = await worked(under, idleMs, () => published(under, SINGLE));
  const burst = await worked(under, idleMs, async () => {
    for (let i = 0; i < bench.pick<number>(BURST.times, 4); i++) {
      await published(under, BURST);
      await pause(BURST.every);
    }
  });
  const report = await receiver.report();
  const frameBytes = Object.values(report.groups)[0]?.frameBytes ?? NaN;
  return { connections, added, connectMs, bytes, idleMs, single, burst, frameBytes };
}

async function idle({ bench, gateway: { process } }: Under): Promise<number> {
  const seconds = bench.pick(HEARTBEAT_MS / 1_000, 2);
  const cpuMs = process.cpuMs();
  await pause(seconds * 1_000);
  return (process.cpuMs() - cpuMs) / seconds;
}

async function published(
  under: Under,
  load: { readonly rate: number; readonly events: number },
): Promise<void> {
  const { publisher, natsPort: port, from } = under;
  const { rate, events } = load;
  under.from += events;
  await publisher.steady({ port, workload: "status", tasks: TASKS, rate, events, from, stored: true });
}

/** What `act` cost, until every connection has every frame of it. */
async function worked(under: Under, idleMs: number, act: () => Promise<void>): Promise<Work> {
  const { gateway: { process }, receiver } = under;
  await receiver.start();
  const [from, cpuMs, startMs] = [under.from, process.cpuMs(), performance.now()];
  await act();
  const events = under.from - from;
  for (;;) {
    const report = await receiver.report();
    const groups = Object.values(report.groups);
    const tookMs = performance.now() - startMs;
    if (groups.every(({ fewest }) => fewest >= events)) {
      return { frames: framesOf(report), cpuMs: process.cpuMs() - cpuMs - idleMs * tookMs / 1_000 };
    }
    const ended = groups.flatMap((group) => group.ended)[0];
    if (ended !== undefined) throw new Error(`A connection ended: ${ended}`);
    if (tookMs > LATE_MS) throw new Error("The frames do not come");
    await pause(50);
  }
}

function framesOf({ groups }: Report): number {
  return Object.values(groups).reduce((sum, { frames }) => sum + frames, 0);
}

function curvesOf(stages: readonly Stage[]): readonly Curve[] {
  const by = (y: (stage: Stage) => number): Point[] =>
    stages.map((stage) => ({ x: stage.connections, y: y(stage) }));
  const work = (of: (stage: Stage) => Work): Point[] =>
    stages.map((stage) => ({ x: of(stage).frames, y: of(stage).cpuMs }));
  const frame = `${stages[0]?.frameBytes.toFixed(0)} bytes a frame`;
  return [
    {
      title: "Memory of idle connections",
      x: "connections",
      y: "MB",
      points: by(({ bytes }) => bytes / 2 ** 20),
      each: { unit: "KB", per: 1_024 },
    },
    {
      title: "Connecting, and a subscription each",
      x: "new connections",
      y: "ms of a core",
      points: stages.map(({ added, connectMs }) => ({ x: added, y: connectMs })),
      each: { unit: "µs", per: 1_000 },
    },
    {
      title: `Idle time, a ping each ${HEARTBEAT_MS / 1_000} s`,
      x: "connections",
      y: "ms of a core a second",
      points: by(({ idleMs }) => idleMs),
      each: { unit: "µs a second", per: 1_000 },
    },
    {
      title: `Frames sent one by one, ${frame}`,
      x: "frames",
      y: "ms of a core",
      points: work(({ single }) => single),
      each: { unit: "µs", per: 1_000 },
    },
    {
      title: "Frames sent together, 20 in two writes",
      x: "frames",
      y: "ms of a core",
      points: work(({ burst }) => burst),
      each: { unit: "µs", per: 1_000 },
    },
  ];
}
