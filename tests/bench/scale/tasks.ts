import { type Bench, LOAD_CORE, pause, quiet, SERVER_CORE, settledMemory } from "../bench.ts";
import type { Point } from "../fit.ts";
import { Gateway } from "../gateway.ts";
import { collectGarbage } from "../inspector.ts";
import { monotonicMs } from "../libc.ts";
import { Publisher } from "../publishing.ts";
import { Receiver } from "../receiver.ts";
import { median } from "../statistics.ts";
import { natsServerWithStream } from "../stream.ts";
import type { Curve } from "./curve.ts";

const TASKS = [1_000, 10_000, 25_000, 50_000, 100_000];
const FEW_TASKS = [500, 1_000, 2_000];
/** Each is created, started, and moves on three times; none ends. */
const EVENTS_EACH = 5;
const FOLDED = 100_000;
const LISTS = 20;
const GIVE_UP_MS = 60_000;

type Stage = {
  readonly tasks: number;
  readonly startMs: number;
  readonly bytes: number;
  /** Processor time an event, µs. */
  readonly foldUs: number;
  /** The median of getting the first hundred, ms. */
  readonly listMs: number;
  /** From connecting until a client has been told of every task, ms. */
  readonly snapshotMs: number;
};

/** What tasks cost a gateway: memory, its start, each event, lists and snapshots. */
export async function taskCurves(bench: Bench): Promise<readonly Curve[]> {
  const stages: Stage[] = [];
  for (const tasks of bench.pick(TASKS, FEW_TASKS)) {
    const stage = await staged(bench, tasks);
    stages.push(stage);
    bench.say(
      `    ${tasks} tasks: start ${stage.startMs.toFixed(0)} ms, ${(stage.bytes / 2 ** 20).toFixed(0)} MB, ` +
        `${stage.foldUs.toFixed(1)} µs an event, list ${stage.listMs.toFixed(1)} ms, snapshot ${
          stage.snapshotMs.toFixed(0)
        } ms`,
    );
  }
  return curvesOf(stages);
}

async function staged(bench: Bench, tasks: number): Promise<Stage> {
  await using nats = await natsServerWithStream(bench);
  await using publisher = await Publisher.start(LOAD_CORE);
  const { port } = nats;
  await publisher.burst({ port, workload: "history", tasks, events: EVENTS_EACH * tasks, from: 0 });
  const settings = { NATS_URL: nats.server.url };
  const options = { core: SERVER_CORE, dataDir: await bench.folder(), settings, inspect: true };
  await using gateway = await Gateway.start(options);
  const startMs = gateway.readyAtMs - gateway.startedAtMs;
  // It walks over its log beside its service.
  await quiet(gateway.process);
  await collectGarbage(gateway.process);
  const bytes = await settledMemory(bench, gateway.process);
  const listMs = await listed(gateway);
  const snapshotMs = await snapshot(gateway, tasks);
  return {
    tasks,
    startMs,
    bytes,
    foldUs: await folded(bench, { gateway, publisher, port, tasks }),
    listMs,
    snapshotMs,
  };
}

async function listed({ url }: Gateway): Promise<number> {
  const tookMs: number[] = [];
  for (let i = 0; i < LISTS; i++) {
    const startMs = performance.now();
    await (await fetch(`${url}/api/tasks?limit=100`)).arrayBuffer();
    tookMs.push(performance.now() - startMs);
  }
  return median(tookMs);
}

async function snapshot(gateway: Gateway, tasks: number): Promise<number> {
  await using receiver = await Receiver.start(LOAD_CORE);
  const startMs = monotonicMs();
  await receiver.connect("comes", {
    ...gateway.opening("topics=task:status"),
    count: 1,
    read: "count",
    until: { marker: '{"type":"caught_up"' },
  });
  const { all, atMs } = await receiver.reached("comes", GIVE_UP_MS);
  const { most = 0 } = (await receiver.report()).groups["comes"] ?? {};
  if (!all || most < tasks) throw new Error(`${most} of ${tasks} tasks were told in time`);
  return (atMs ?? NaN) - startMs;
}

/** The gateway stands still while the events are stored, so that what it then uses is for them alone. */
async function folded(
  bench: Bench,
  { gateway, publisher, port, tasks }: {
    readonly gateway: Gateway;
    readonly publisher: Publisher;
    readonly port: number;
    readonly tasks: number;
  },
): Promise<number> {
  const { process } = gateway;
  const events = bench.pick(FOLDED, 20_000);
  process.signal("SIGSTOP");
  // The counters of an event are those of its round over the tasks: these go on where the history ended.
  const what = { port, workload: "progress", tasks, events, from: EVENTS_EACH * tasks } as const;
  const { lastSeq } = await publisher.burst(what);
  process.signal("SIGCONT");
  const [startMs, cpuMs] = [monotonicMs(), process.cpuMs()];
  while (await gateway.metric("taskwire_log_followed") < lastSeq) {
    if (monotonicMs() - startMs > GIVE_UP_MS) throw new Error("The gateway does not catch up");
    await pause(20);
  }
  return (process.cpuMs() - cpuMs) * 1_000 / events;
}

function curvesOf(stages: readonly Stage[]): readonly Curve[] {
  const by = (y: (stage: Stage) => number): Point[] =>
    stages.map((stage) => ({ x: stage.tasks, y: y(stage) }));
  return [
    {
      title: "Memory of tasks under way",
      x: "tasks",
      y: "MB",
      points: by(({ bytes }) => bytes / 2 ** 20),
      each: { unit: "KB", per: 1_024 },
    },
    {
      title: `Start, ${EVENTS_EACH} events a task in the stream`,
      x: "tasks",
      y: "ms until ready",
      points: by(({ startMs }) => startMs),
      each: { unit: "µs", per: 1_000 },
    },
    {
      title: "Following, nobody watching",
      x: "tasks",
      y: "µs of a core an event",
      points: by(({ foldUs }) => foldUs),
      each: { unit: "µs an event for 1,000", per: 1_000 },
    },
    {
      title: "The first hundred, over HTTP",
      x: "tasks",
      y: "ms",
      points: by(({ listMs }) => listMs),
      each: { unit: "µs", per: 1_000 },
    },
    {
      title: "Snapshot of every task to one client",
      x: "tasks",
      y: "ms until it has caught up",
      points: by(({ snapshotMs }) => snapshotMs),
      each: { unit: "µs", per: 1_000 },
    },
  ];
}
