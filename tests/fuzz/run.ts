import fc from "fast-check";
import { eventually } from "../eventually.ts";
import { BareNats } from "../gateway/bare_nats.ts";
import { GatewayProcess } from "../gateway/gateway_process.ts";
import { processWith, type Seen } from "../hostile/process_memory.ts";
import { type NatsServer, startNatsServer } from "../nats_server.ts";
import { isSteady } from "./events.ts";
import { eventsTarget, framesTarget, requestsTarget, settingsTarget, type Target } from "./targets.ts";

/** How to fuzz. */
export type FuzzOptions = {
  readonly seconds: number;
  readonly seed: number;
  /** Told now and then how far it is. */
  readonly tell?: (line: string) => void;
};

/** What was found. */
export type Finding = { readonly target: string; readonly what: string };

/** What came of it. */
export type Fuzzed = {
  /** By target: how many inputs it took. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
};

/** No target goes on for longer before the next has its turn, and none gets more inputs at once. */
const TURN_MS = 4_000;
const TURN_INPUTS = 400;
/** A finding is made smaller for so long. */
const SHRINK_MS = 10_000;
/** So many findings are enough. */
const MAX_FINDINGS = 10;
/**
 * By so much may the memory of the last quarter of the time be above that of the second, by their medians: what is kept by
 * design is bounded by {@link SETTINGS} and is there after some minutes, so that only what leaks goes on growing. Of a shorter
 * time nothing can be told.
 */
const MAX_GROWTH_BYTES = 32 * 1_048_576;
const LONG_SECONDS = 300;
/** Connections that are just closing. */
const MAX_HANDLES_MORE = 16;
const TELL_MS = 30_000;
/** How often memory and handles are looked at, at the most. */
const LOOK_MS = 1_000;

/** So many events of a task of one kind are kept. */
const RETAINED = 100;

/**
 * Nothing is too much of anything, so that what is looked at is what inputs do, and not how many there may be. Little is kept,
 * in the log and of it in memory: what replays need is read of the log, and to read a task of thousands of status changes as it
 * was takes NATS a quarter of a second, in which nothing else would be tried.
 */
const SETTINGS = {
  MESSAGES_PER_SECOND: "1000000",
  MESSAGES_BURST: "1000000",
  REQUESTS_PER_SECOND: "1000000",
  REQUESTS_BURST: "1000000",
  HANDSHAKES_PER_SECOND: "1000000",
  HANDSHAKES_BURST: "1000000",
  RETAIN_PER_SUBJECT: String(RETAINED),
  TAIL_EVENTS: "1000",
  SQLITE_SYNC: "process",
  FLUSH_MS: "1",
  // What leaks ends it, MB; and there is less garbage at a time, so that more of what is seen is what is kept.
  DENO_V8_FLAGS: "--max-old-space-size=192",
};

/** What a process was seen to have, bytes and open files. */
type Reading = { readonly memory: number; readonly handles: number };

/** A gateway under test, and what it had in each quarter of the time. */
type Watched = {
  readonly name: string;
  readonly gateway: GatewayProcess;
  readonly process: Seen | undefined;
  readonly quarters: readonly Reading[][];
};

/** Gives all there is that takes input such as nobody expects, for so long. */
export async function fuzz({ seconds, seed, tell = () => {} }: FuzzOptions): Promise<Fuzzed> {
  await using world = await World.start();
  const { targets, findings, inputs } = world;
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  let toldMs = startMs;
  let lookedMs = -Infinity;
  for (let turn = 0; performance.now() < endMs && findings.length < MAX_FINDINGS; turn++) {
    const target = targets[turn % targets.length];
    if (target === undefined) break;
    const leftMs = Math.max(100, endMs - performance.now());
    const { count, found } = await take(target, { seed: seed + turn, leftMs });
    inputs[target.name] = (inputs[target.name] ?? 0) + count;
    if (found !== undefined) {
      findings.push(found);
      tell(`FOUND, ${found.target}: ${found.what}`);
    }
    if (performance.now() - lookedMs >= LOOK_MS) {
      lookedMs = performance.now();
      await world.look(Math.min(3, Math.floor((lookedMs - startMs) / (seconds * 250))));
    }
    if (performance.now() - toldMs < TELL_MS) continue;
    toldMs = performance.now();
    tell(await world.describe());
  }
  tell(await world.describe());
  findings.push(...await world.wrongAtTheEnd(seconds >= LONG_SECONDS));
  return { inputs, findings };
}

/** One turn of a target: how many inputs it took, and what was found. */
async function take(
  { name, property }: Target,
  { seed, leftMs }: { readonly seed: number; readonly leftMs: number },
): Promise<{ readonly count: number; readonly found?: Finding }> {
  const limit = { markInterruptAsFailure: false, interruptAfterTimeLimit: Math.min(TURN_MS, leftMs) };
  const { failed, numRuns: count, counterexamplePath: path } = await fc.check<[unknown]>(property, {
    seed,
    numRuns: TURN_INPUTS,
    endOnFailure: true,
    ...limit,
  });
  if (!failed || path === null) return { count };
  // Once more from there, to make it smaller.
  const shrunk = await fc.check<[unknown]>(property, {
    seed,
    path,
    interruptAfterTimeLimit: SHRINK_MS,
    markInterruptAsFailure: true,
  });
  const what = `seed ${seed}, path ${path}: ${fc.stringify(shrunk.counterexample)}: ${
    String(shrunk.errorInstance)
  }`;
  return { count, found: { target: name, what } };
}

/** What is fuzzed: a gateway on the embedded log, one on NATS where there is a server, and the settings. */
class World implements AsyncDisposable {
  readonly targets: Target[] = [];
  readonly findings: Finding[] = [];
  readonly inputs: Record<string, number> = {};
  readonly #watched: Watched[] = [];
  readonly #stack = new AsyncDisposableStack();
  #nats: NatsServer | undefined;

  static async start(): Promise<World> {
    const world = new World();
    try {
      const embedded = await world.#gateway("the embedded log", {});
      const server = await startNatsServer().catch(() => undefined);
      world.targets.push(
        framesTarget(embedded, "the embedded log"),
        requestsTarget(embedded, "the embedded log"),
      );
      if (server !== undefined) await world.#addNats(server);
      world.targets.push(settingsTarget());
      for (const target of world.targets) world.#stack.use(target);
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Notes how much the gateways have in this quarter of the time. */
  async look(quarter: number): Promise<void> {
    for (const { process, quarters } of this.#watched) {
      if (process !== undefined) quarters[quarter]?.push(await readingOf(process));
    }
  }

  /** How many inputs there were, and how the gateways are. */
  async describe(): Promise<string> {
    const counts = Object.entries(this.inputs).map(([name, count]) => `${count} ${name}`);
    const sizes = await Promise.all(this.#watched.map(async ({ name, process }) => {
      if (process === undefined) return name;
      return `${name}: ${Math.round(await process.memory() / 1_048_576)} MB, ${await process
        .handles()} handles`;
    }));
    return [...counts, ...sizes, `${this.findings.length} findings`].join("; ");
  }

  /** What of the gateways is not as it should be after all that. */
  async wrongAtTheEnd(isLong: boolean): Promise<Finding[]> {
    await Promise.all(this.targets.map((target) => target[Symbol.asyncDispose]()));
    const found: Finding[] = [];
    for (const watched of [...this.#watched]) {
      for (const what of [...await wrongWith(watched, isLong), ...await this.#otherThanTold(watched)]) {
        found.push({ target: watched.name, what });
      }
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async #addNats(server: NatsServer): Promise<void> {
    this.#nats = this.#stack.use(server);
    const gateway = await this.#gateway("NATS", { NATS_URL: server.url });
    const nats = this.#stack.use(await BareNats.connect(server.url));
    this.targets.push(
      framesTarget(gateway, "NATS"),
      eventsTarget(gateway, nats),
      requestsTarget(gateway, "NATS"),
    );
  }

  async #gateway(name: string, settings: Readonly<Record<string, string>>): Promise<GatewayProcess> {
    const dataDir = await Deno.makeTempDir({ prefix: "taskwire-fuzz-" });
    this.#stack.defer(() => Deno.remove(dataDir, { recursive: true }));
    const gateway = new GatewayProcess(dataDir, { settings: { ...SETTINGS, ...settings } });
    this.#stack.defer(() => gateway.kill());
    await gateway.start();
    const quarters = [[], [], [], []];
    this.#watched.push({ name, gateway, process: await processWith("DATA_DIR", dataDir), quarters });
    return gateway;
  }

  /** Whether a gateway that has only read the log tells of the same tasks. */
  async #otherThanTold({ gateway }: Watched): Promise<string[]> {
    const told = await tasksOf(gateway);
    if (this.#nats !== undefined && gateway.said.includes("Log: NATS")) {
      const other = await this.#gateway("another on NATS", { NATS_URL: this.#nats.url });
      return await difference(other, told);
    }
    await gateway.leave();
    await gateway.start();
    return await difference(gateway, told);
  }
}

async function readingOf(process: Seen): Promise<Reading> {
  return { memory: await process.memory(), handles: await process.handles() };
}

async function wrongWith({ gateway, process, quarters }: Watched, isLong: boolean): Promise<string[]> {
  const wrong = gateway.said.split("\n").filter((line) => /incident|uncaught|panicked|error/i.test(line));
  const [, second = [], , last = []] = quarters;
  if (process === undefined || second.length === 0 || last.length === 0) return wrong;
  const before = { memory: median(second, "memory"), handles: median(second, "handles") };
  const isClosed = async () => await process.handles() <= before.handles + MAX_HANDLES_MORE;
  await eventually("handles are closed", isClosed).catch(async () =>
    wrong.push(`${before.handles} handles in its second quarter, ${await process.handles()} at the end`)
  );
  const memory = median(last, "memory");
  if (isLong && memory > before.memory + MAX_GROWTH_BYTES) {
    wrong.push(`${before.memory} bytes in its second quarter, ${memory} in its last`);
  }
  return wrong;
}

function median(readings: readonly Reading[], of: keyof Reading): number {
  const sorted = readings.map((reading) => reading[of]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Every task by its id; of what depends on when it was told, nothing. */
async function tasksOf(gateway: GatewayProcess): Promise<Map<string, string>> {
  const tasks = new Map<string, string>();
  for (let page: number | undefined = 1; page !== undefined;) {
    const answer: { tasks: { task_id: string; progress: object }[]; next_page?: number } = JSON.parse(
      JSON.stringify(await gateway.get(`/api/tasks?limit=100&page=${page}`)),
    );
    for (const { progress, ...task } of answer.tasks) {
      tasks.set(
        task.task_id,
        JSON.stringify({ ...task, progress: { ...progress, rate: null, eta_ms: null } }),
      );
    }
    page = answer.next_page;
  }
  return tasks;
}

async function difference(gateway: GatewayProcess, told: ReadonlyMap<string, string>): Promise<string[]> {
  const read = await tasksOf(gateway);
  const different: string[] = [];
  for (const id of new Set([...told.keys(), ...read.keys()])) {
    if (told.get(id) === read.get(id) || await mayDiffer(gateway, id)) continue;
    different.push(
      `Task ${id} is told as ${told.get(id)}, and by who has only read the log as ${read.get(id)}`,
    );
  }
  return different;
}

/**
 * Whether a task may be another to who has only read the log: an event of an earlier attempt hides one of its kind of a later
 * attempt, which the log may have let go of since. Of one attempt the last event of each kind decides, and is always there.
 */
async function mayDiffer(gateway: GatewayProcess, id: string): Promise<boolean> {
  if (isSteady(id)) return false;
  const last = new Map<string, { attempt: number; count: number }>();
  for (let after: number | undefined = 0; after !== undefined;) {
    const page: { events: { kind: string; body: { attempt?: number } }[]; next_after_seq?: number } = JSON
      .parse(
        JSON.stringify(await gateway.get(`/api/tasks/${id}/events?limit=1000&after_seq=${after}`)),
      );
    for (const { kind, body: { attempt = 1 } } of page.events) {
      const before = last.get(kind) ?? { attempt: 1, count: 0 };
      if (attempt < before.attempt || before.count + 1 >= RETAINED) return true;
      last.set(kind, { attempt, count: before.count + 1 });
    }
    after = page.next_after_seq;
  }
  return false;
}
