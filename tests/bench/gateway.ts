import { SETTINGS } from "../../src/settings/environment.ts";
import type { Core } from "./line_process.ts";
import { INSPECT } from "./inspector.ts";
import { monotonicMs } from "./libc.ts";
import { PinnedProcess } from "./pinned_process.ts";
import type { Opening } from "./receiver.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const START_MS = 120_000;
/** Names a folder for CPU profiles of the gateway, where it is set. */
const PROFILES = "BENCH_PROFILES";
/** How often it is asked whether it is ready. */
const ASK_MS = 5;

/** All clients come from one address, and some thousands at once. */
const CROWD = {
  MAX_CONNECTIONS_PER_ADDRESS: "20000",
  HANDSHAKES_PER_SECOND: "100000",
  HANDSHAKES_BURST: "100000",
} as const;

/** How a gateway is started. */
export type GatewayOptions = {
  readonly core: Core;
  /** Where its embedded log lies; it may write there. */
  readonly dataDir: string;
  /** Settings, beside those that the load needs. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether it can be inspected. */
  readonly inspect?: boolean;
};

/** The project's gateway as it is started by `deno task start`, on one core. */
export class Gateway implements AsyncDisposable {
  /** What runs: to measure what it costs. */
  readonly process: PinnedProcess;
  readonly port: number;
  /** When it was started and when it first said that it is ready, on the monotonic clock in ms. */
  readonly startedAtMs: number;
  readonly readyAtMs: number;

  private constructor(process: PinnedProcess, port: number, startedAtMs: number, readyAtMs: number) {
    this.process = process;
    this.port = port;
    this.startedAtMs = startedAtMs;
    this.readyAtMs = readyAtMs;
  }

  /** Starts it and waits until it is ready. */
  static async start({ core, dataDir, settings = {}, inspect = false }: GatewayOptions): Promise<Gateway> {
    const startedAtMs = monotonicMs();
    const profiles = Deno.env.get(PROFILES);
    const process = PinnedProcess.start({
      core,
      command: Deno.execPath(),
      args: [
        "run",
        "-P",
        `--allow-read=${ROOT}src,${dataDir}`,
        `--allow-write=${dataDir}`,
        `--config=${ROOT}deno.json`,
        ...(inspect ? [INSPECT] : []),
        ...(profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`]),
        `${ROOT}main.ts`,
      ],
      env: { ...unset(), PORT: "0", DATA_DIR: dataDir, ...CROWD, ...settings },
    });
    try {
      const port = await announced(process);
      return new Gateway(process, port, startedAtMs, await untilReady(process, port));
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `http://127.0.0.1:<port>`. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /**
   * How its clients connect, and what they ask for in the query; `replay=none` where frames are counted. A client is
   * open when it is welcome and subscribed.
   */
  opening(query: string): Pick<Opening, "port" | "path" | "dialect" | "hello" | "openAfter"> {
    return { port: this.port, path: `/ws?${query}`, dialect: "websocket", hello: [], openAfter: 2 };
  }

  /** The value of a metric; `labels` as printed, such as `state="behind"`, where it has any. NaN where there is none. */
  async metric(name: string, labels = ""): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return Number(new RegExp(`^${name}(?:\\{[^}]*${labels}[^}]*\\})? (\\S+)`, "m").exec(text)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A profile is written at an end in peace.
    if (Deno.env.has(PROFILES)) await this.process.terminate();
    await this.process[Symbol.asyncDispose]();
  }
}

/** What is set where we are started means us, not the gateway: empty is unset. */
function unset(): Record<string, string> {
  return Object.fromEntries(SETTINGS.map(({ name }) => [name, ""]));
}

async function announced(process: PinnedProcess): Promise<number> {
  for (;;) {
    const { value, done } = await process.lines.next();
    if (done === true) throw new Error(`The gateway ended: ${process.said}`);
    const port = /listens on http:\/\/\S+:(\d+)/.exec(value)?.[1];
    if (port !== undefined) return Number(port);
  }
}

async function untilReady(process: PinnedProcess, port: number): Promise<number> {
  const deadlineMs = monotonicMs() + START_MS;
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok === true) return monotonicMs();
    if (monotonicMs() > deadlineMs) throw new Error(`The gateway was not ready in time: ${process.said}`);
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
}
