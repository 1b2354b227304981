import { BadNetwork } from "../client/bad_network.ts";
import { connectWorker, type Worker } from "../../src/worker/task_reporter.ts";
import type { NatsServer } from "../nats_server.ts";
import type { Chance } from "../simulation/chance.ts";
import { wrongAnswers, wrongChanges, wrongWith } from "./comparison.ts";
import { Crowd } from "./crowd.ts";
import type { ObservedGateway } from "./observed_gateway.ts";
import type { Fault, Sample } from "./sample.ts";
import { Staff, tagsOf } from "./staff.ts";
import { tokenOf } from "./tokens.ts";
import type { Truth } from "./truth.ts";
import type { Visitor } from "./visitor.ts";
import { weather } from "./weather.ts";

/** Where a tide comes and goes. */
export type Shore = {
  readonly gateway: ObservedGateway;
  readonly nats: NatsServer | undefined;
  readonly truth: Truth;
  readonly residents: readonly Visitor[];
  readonly visitors: number;
  readonly tasksPerSecond: number;
  /** How long the log keeps events, ms. */
  readonly retainedMs: number;
  /** How long it does in any case. */
  readonly keptMs: number;
  /** ms since the load began. */
  readonly now: () => number;
};

/** What a flood left behind. */
export type Flood = {
  readonly faults: readonly Fault[];
  readonly tasks: number;
  readonly visits: number;
  /** What somebody knew otherwise than the log says, once all had time to hear of it. */
  readonly wrong: readonly string[];
  /** How many clients were compared with the log. */
  readonly compared: number;
  /** So many gaps the residents were told of by then. */
  readonly gaps: number;
  /** Failures that nobody may meet. */
  readonly broken: readonly unknown[];
};

/** So many tasks at once are told of by who fills memory. */
const AT_ONCE = 500;
/** So many times what is retained the gateway may take to hold nothing any more. */
const EBB = 3;
/** Low water is looked at so often, and so long apart. */
const LOOKS = 3;
const LOOK_MS = 200;
const ASK_MS = 100;

/** For `floodMs` everything comes, goes and breaks; then nothing does any more, everybody is compared with the log, and leaves. */
export async function flood(
  shore: Shore,
  floodMs: number,
  chance: Chance,
  firstTask: number,
): Promise<Flood> {
  const { gateway, nats, residents, visitors, tasksPerSecond, now } = shore;
  await using road = await BadNetwork.start(gateway.process.port, {});
  const url = nats?.url ?? `http://127.0.0.1:${road.port}`;
  await using staff = new Staff({ connect: () => hired(url), chance, tasksPerSecond, firstTask });
  const crowd = await Crowd.gather({
    port: gateway.process.port,
    residents,
    chance,
    visitors,
    cancellable: staff.cancellable,
    tasks: () => staff.tasks,
  });
  try {
    const faults: Fault[] = [];
    const betweenMs = [Math.min(6_000, floodMs / 5), Math.min(15_000, floodMs / 3)] as const;
    await weather({ crowd, nats, chance, betweenMs, now }, faults, AbortSignal.timeout(floodMs));
    const sinceMs = Date.now() - shore.retainedMs / 3;
    await staff[Symbol.asyncDispose]();
    await crowd.settle();
    const { wrong, compared } = await comparedWith(shore, crowd, sinceMs);
    await crowd.disperse();
    const broken = [...crowd.faults, ...staff.faults];
    const gaps = residents.reduce((sum, { view }) => sum + view.gaps, 0);
    return { faults, tasks: staff.tasks - firstTask, visits: crowd.visits, wrong, compared, gaps, broken };
  } finally {
    await crowd.disperse();
  }
}

/**
 * So many tasks like those of a flood come and end at once, and so many tokens are shown, to fill what remembers a number of
 * them.
 */
export async function fill({ gateway, nats }: Shore, count: number, chance: Chance): Promise<void> {
  await using road = await BadNetwork.start(gateway.process.port, {});
  await using worker = await hired(nats?.url ?? `http://127.0.0.1:${road.port}`);
  for (let from = 0; from < count; from += AT_ONCE) {
    const ids = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, i) => `filling-${from + i}`);
    await Promise.all(ids.map(async (id) => {
      const task = worker.task(id);
      void task.created({ tags: tagsOf(chance) });
      await task.completed();
    }));
    await Promise.all(ids.map(async (id) => {
      const headers = { authorization: `Bearer ${await tokenOf(id)}` };
      const response = await fetch(`${gateway.process.url}/api/tasks/${id}`, { headers });
      await response.body?.cancel();
      // Retention may have taken the task by now.
      if (!response.ok && response.status !== 404) {
        throw new Error(`a good token is answered with ${response.status}`);
      }
    }));
  }
}

/**
 * Waits until retention has taken everything and nobody is there but the residents: what the gateway then holds is what it
 * holds for good. Undefined where that does not come about.
 */
export async function lowWater({ gateway, residents, retainedMs, now }: Shore): Promise<Sample | undefined> {
  for (
    const untilMs = performance.now() + EBB * retainedMs;
    performance.now() < untilMs;
    await pause(ASK_MS)
  ) {
    const { tasks, connections } = await gateway.load();
    if (tasks > 0 || connections > residents.length) continue;
    const looks: Sample[] = [];
    for (let times = 0; times < LOOKS; times++) {
      await pause(LOOK_MS);
      looks.push(await gateway.sample(now(), 0));
    }
    const least = (measure: "rss" | "heap" | "handles" | "timers") =>
      Math.min(...looks.map((look) => look[measure]));
    const [last] = looks.slice(-1);
    if (last === undefined) return undefined;
    return {
      ...last,
      rss: least("rss"),
      heap: least("heap"),
      handles: least("handles"),
      timers: least("timers"),
    };
  }
  return undefined;
}

/**
 * What somebody takes for the truth and is not, when all had time to hear of it. Who says itself that it has not caught up
 * knows nothing wrong, but it has to catch up soon.
 */
async function comparedWith(
  { gateway, truth, retainedMs, keptMs, residents }: Shore,
  crowd: Crowd,
  fromMs: number,
): Promise<Pick<Flood, "wrong" | "compared">> {
  const all = crowd.present.filter(({ hasGivenUp }) => !hasGivenUp);
  // While retention takes nothing of what is compared.
  const untilMs = performance.now() + retainedMs / 2;
  const lateMs = performance.now() + EBB * retainedMs;
  for (;; await pause(ASK_MS)) {
    await truth.readOn();
    const sinceMs = Math.max(fromMs, Date.now() - keptMs);
    const wrong = await wrongAnswers(gateway, truth, sinceMs);
    for (const resident of residents) wrong.push(...wrongChanges(resident, truth));
    const behind: Visitor[] = [];
    for (const visitor of all) {
      const found = wrongWith(visitor, truth, sinceMs);
      if (found === undefined && !visitor.hasGivenUp) behind.push(visitor);
      wrong.push(...found ?? []);
    }
    if (wrong.length > 0 && performance.now() > untilMs) return { wrong, compared: 0 };
    if (wrong.length > 0) continue;
    if (behind.length === 0) return { wrong, compared: all.length };
    if (performance.now() < untilMs) continue;
    const compared = all.length - behind.length;
    while (behind.some((visitor) => !visitor.hasGivenUp && visitor.tasks === undefined)) {
      if (performance.now() > lateMs) {
        return { wrong: behind.map((one) => `${one.name} never caught up: it is ${one.standing}`), compared };
      }
      await pause(ASK_MS);
    }
    return { wrong, compared };
  }
}

/** A worker that says what it has to say to NATS itself, or where there is none to the gateway. */
async function hired(url: string): Promise<Worker> {
  const options = { progressIntervalMs: 300, closeMs: 3_000, onTrouble: () => {} };
  if (url.startsWith("nats:")) return await connectWorker(url, { ...options, connectMs: 2_000 });
  return await connectWorker(url, { ...options, cancelPollMs: 500, token: () => tokenOf("worker") });
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
