import * as v from "valibot";
import { INSPECT, Inspector } from "../bench/inspector.ts";
import { GatewayProcess } from "../gateway/gateway_process.ts";
import { processWith, type Seen } from "../hostile/process_memory.ts";
import { AUTH_SETTINGS, METRICS_TOKEN } from "./tokens.ts";
import type { Sample } from "./sample.ts";

/** What `process.getActiveResourcesInfo()` calls a timer that is set. */
const TIMER = "Timeout";
const MB = 1_048_576;
/** How often what leaks on purpose does so, ms. */
const LEAK_MS = 100;
/** What a number of an array takes. */
const BYTES_A_NUMBER = 8;

/** A gateway as `deno task start` runs it, that can be looked into: by `/proc`, by `/metrics` and by the inspector. */
export class ObservedGateway implements AsyncDisposable {
  readonly process: GatewayProcess;
  readonly #seen: Seen;
  readonly #inspector: Inspector;

  private constructor(process: GatewayProcess, seen: Seen, inspector: Inspector) {
    this.process = process;
    this.#seen = seen;
    this.#inspector = inspector;
  }

  /** Starts it with its data in `dataDir`, and waits until it is ready. */
  static async start(
    dataDir: string,
    settings: Readonly<Record<string, string>>,
  ): Promise<ObservedGateway> {
    const process = new GatewayProcess(dataDir, {
      settings: { ...AUTH_SETTINGS, ...settings },
      flags: [INSPECT],
    });
    try {
      await process.start();
      const seen = await processWith("DATA_DIR", dataDir);
      if (seen === undefined) throw new Error("A soak needs /proc, which tells of memory and handles");
      return new ObservedGateway(process, seen, await Inspector.connect(process.said));
    } catch (error) {
      await process.kill();
      throw error;
    }
  }

  /** How much there is of what comes and goes. */
  async load(): Promise<Pick<Sample, "tasks" | "connections">> {
    const metrics = await this.#metrics();
    return { tasks: sum(metrics, "taskwire_tasks"), connections: sum(metrics, "taskwire_connections") };
  }

  /** How it is now. `head`: up to where the log is known to go. */
  async sample(atMs: number, head: number): Promise<Sample> {
    const before = await this.#metrics();
    await this.#inspector.collectGarbage();
    const [heap, resources, rss, handles, threads] = await Promise.all([
      this.#inspector.heapBytes(),
      this.#inspector.evaluate("process.getActiveResourcesInfo()"),
      this.#seen.memory(),
      this.#seen.handles(),
      this.#seen.threads(),
    ]);
    return {
      atMs,
      rss,
      heap,
      handles,
      threads,
      timers: v.parse(v.array(v.string()), resources).filter((name) => name === TIMER).length,
      connections: sum(before, "taskwire_connections"),
      tasks: sum(before, "taskwire_tasks"),
      lateMs: sum(before, "taskwire_event_loop_late_ms"),
      lag: Math.max(0, head - sum(before, "taskwire_log_followed")),
    };
  }

  /** Everything on its heap, as text that developers' tools read. */
  async heapSnapshot(): Promise<string> {
    return await this.#inspector.heapSnapshot();
  }

  /** Makes it leak from now on, as a fault of it would: what looks for leaks has to find this one. */
  async leak(bytesPerSecond: number): Promise<void> {
    const numbersPerMs = bytesPerSecond / BYTES_A_NUMBER / 1_000;
    await this.#inspector.evaluate(`{
      const leaked = globalThis.leaked = [];
      let beforeMs = performance.now();
      setInterval(() => {
        const nowMs = performance.now();
        leaked.push(Array.from({ length: (nowMs - beforeMs) * ${numbersPerMs} }, () => Math.random()));
        beforeMs = nowMs;
      }, ${LEAK_MS});
    }`);
  }

  /** What it noted as its own fault, or what went wrong with it, in its own words. */
  get complaints(): string[] {
    return this.process.said.split("\n").filter((line) => /"incident"|uncaught|panicked/i.test(line));
  }

  /** Tells it to end. Rejects where it does not, in order and in time. */
  async leave(): Promise<void> {
    // Deno goes on for as long as somebody inspects it.
    await this.#inspector[Symbol.asyncDispose]();
    await this.process.leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inspector[Symbol.asyncDispose]();
    await this.process.kill();
  }

  async #metrics(): Promise<readonly (readonly [name: string, value: number])[]> {
    const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
    const response = await fetch(`${this.process.url}/metrics`, { headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`/metrics: ${response.status} ${text}`);
    return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end).replace(/\{.*/, ""), Number(line.slice(end + 1))];
    });
  }
}

/** In words, for who looks at a run. */
export function described(
  { rss, heap, handles, threads, timers, connections, tasks, lateMs, lag }: Sample,
): string {
  return `heap ${(heap / MB).toFixed(1)} MB, RSS ${
    (rss / MB).toFixed(1)
  } MB, ${handles} handles, ${threads} threads, ` +
    `${timers} timers, ${connections} connections, ${tasks} tasks, ${lateMs.toFixed()} ms late, lag ${lag}`;
}

function sum(metrics: readonly (readonly [name: string, value: number])[], name: string): number {
  const values = metrics.filter(([of]) => of === name);
  if (values.length === 0) throw new Error(`There is no metric ${name}`);
  return values.reduce((total, [, value]) => total + value, 0);
}
