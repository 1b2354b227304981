import { SETTINGS } from "../../src/settings/environment.ts";
import { eventually } from "../eventually.ts";

/** The project's folder, from which the gateway is started. */
export const ROOT = new URL("../../", import.meta.url);

/** How a gateway is started. */
export type GatewayOptions = {
  /** Settings, beside `PORT` and `DATA_DIR`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether to wait until it says that it is ready. Default: true. */
  readonly untilReady?: boolean;
  /** Its folder, which stays. Default: one of its own that goes with it. */
  readonly dataDir?: string;
  /** Flags of Deno, beside those that it is always started with. */
  readonly flags?: readonly string[];
};

/** How a process ended and what it said until then. */
export type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** The most that a start may take on a machine that has much else to do, ms. */
const START_MS = 30_000;
/** The most that an end may take, ms. */
const END_MS = 30_000;

/**
 * Runs `use` on a real gateway: a process started as `deno task start` does, on a port and a folder of its own, which
 * are gone afterwards, and told to end in order. When `use` throws, what the gateway said is shown.
 */
export async function withGateway<T>(
  options: GatewayOptions,
  use: (gateway: GatewayProcess) => Promise<T>,
): Promise<T> {
  const dataDir = options.dataDir ?? await Deno.makeTempDir({ prefix: "taskwire-gateway-" });
  const gateway = new GatewayProcess(dataDir, options);
  try {
    await gateway.start();
    const result = await use(gateway);
    await gateway.leave();
    return result;
  } catch (error) {
    show(`What the gateway said:\n${gateway.said}`);
    throw error;
  } finally {
    await gateway.kill();
    if (options.dataDir === undefined) await Deno.remove(dataDir, { recursive: true });
  }
}

/** Starts a gateway that is expected to end by itself, on a folder of its own or `dataDir`, and waits until it has. */
export async function runToItsEnd(
  settings: Readonly<Record<string, string>>,
  dataDir?: string,
): Promise<Ended> {
  const folder = dataDir ?? await Deno.makeTempDir({ prefix: "taskwire-gateway-" });
  const run = new Run({ PORT: "0", DATA_DIR: folder, ...settings }, folder);
  try {
    return await run.ended(END_MS);
  } finally {
    await run.end("SIGKILL");
    if (dataDir === undefined) await Deno.remove(folder, { recursive: true });
  }
}

/** A gateway as a process that can be killed and started again where it was. */
export class GatewayProcess {
  readonly dataDir: string;
  readonly #options: GatewayOptions;
  readonly #before: Run[] = [];
  #run: Run | undefined;
  #port = 0;

  constructor(dataDir: string, options: GatewayOptions) {
    this.dataDir = dataDir;
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  /** Of the present process. */
  get pid(): number {
    if (this.#run === undefined) throw new Error("No gateway was started");
    return this.#run.pid;
  }

  /** `http://127.0.0.1:<port>`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** `ws://127.0.0.1:<port>`. */
  get wsUrl(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  /** What the present process wrote to its standard output. */
  get stdout(): string {
    return this.#run?.stdout ?? "";
  }

  /** All that it and those before it wrote. */
  get said(): string {
    return [...this.#before, this.#run].map((run) => run === undefined ? "" : `${run.stdout}${run.stderr}`)
      .join("\n");
  }

  /** Starts it, on the port that it had before; waits until it has announced itself, and until it is ready. */
  async start(): Promise<void> {
    const { settings = {}, untilReady = true, flags = [] } = this.#options;
    if (this.#run !== undefined) this.#before.push(this.#run);
    const run = new Run(
      { PORT: String(this.#port), DATA_DIR: this.dataDir, ...settings },
      this.dataDir,
      flags,
    );
    this.#run = run;
    this.#port = await run.announced();
    if (untilReady) await this.ready();
  }

  /** Waits until it says that it is ready. */
  async ready(withinMs = START_MS): Promise<void> {
    await eventually("the gateway is ready", () => this.isReady(), withinMs);
  }

  /** Whether it says that it is ready. */
  async isReady(): Promise<boolean> {
    const response = await fetch(`${this.url}/readyz`).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status === 200;
  }

  /** Sends it a signal. */
  signal(name: Deno.Signal): void {
    this.#run?.signal(name);
  }

  /** Waits until it ends, which it does by itself or by a signal. Rejects when it goes on. */
  async ended(withinMs = END_MS): Promise<Ended> {
    if (this.#run === undefined) throw new Error("No gateway was started");
    return await this.#run.ended(withinMs);
  }

  /** `kill -9`; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#run?.end("SIGKILL");
  }

  /** SIGTERM, unless it has ended before. Rejects when it does not end in order: with 0, and in time. */
  async leave(): Promise<void> {
    if (this.#run === undefined || this.#run.over) return;
    this.signal("SIGTERM");
    const { code } = await this.ended();
    if (code !== 0) throw new Error(`The gateway ended with ${code}`);
  }

  /** A GET of JSON. Rejects when the answer is no success. */
  async get(path: string): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`);
    const body = await response.text();
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${body}`);
    return JSON.parse(body);
  }

  /** Appends events of a task over HTTP. Rejects when they are refused. */
  async post(taskId: string, events: unknown): Promise<void> {
    const response = await fetch(`${this.url}/api/tasks/${taskId}/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(events),
    });
    const body = await response.text();
    if (response.status !== 202) throw new Error(`POST ${taskId}: ${response.status} ${body}`);
  }

  /** The value of a metric, as `/metrics` prints it: `name` with its labels where it has any. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`${this.url}/metrics`);
    const line = (await response.text()).split("\n").find((line) => line.startsWith(`${name} `));
    if (line === undefined) throw new Error(`There is no metric ${name}`);
    return Number(line.slice(name.length + 1));
  }
}

/** One run of `main.ts` with the permissions that `deno task start` gives it. */
class Run {
  stdout = "";
  stderr = "";
  /** Whether it has ended. */
  over = false;
  readonly #child: Deno.ChildProcess;
  readonly #gone: Promise<number>;
  readonly #killWithUs = () => this.signal("SIGKILL");

  constructor(
    settings: Readonly<Record<string, string>>,
    dataDir: string,
    flags: readonly string[] = [],
  ) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-P",
        `--allow-read=src,plugins,${dataDir}`,
        `--allow-write=${dataDir}`,
        ...flags,
        "main.ts",
      ],
      cwd: ROOT,
      clearEnv: true,
      env: { ...environment(), ...settings },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    globalThis.addEventListener("unload", this.#killWithUs);
    this.#gone = this.#untilGone();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The port that it announces. Rejects with what it said when it ends instead. */
  async announced(): Promise<number> {
    await eventually(
      "the gateway announced itself",
      () => this.over || this.stdout.includes("Try:"),
      START_MS,
    );
    const port = /listens on https?:\/\/\S+:(\d+)/.exec(this.stdout)?.[1];
    if (port !== undefined) return Number(port);
    await this.#gone;
    throw new Error(`The gateway did not start: ${this.stdout}${this.stderr}`);
  }

  async ended(withinMs: number): Promise<Ended> {
    await eventually("the gateway ended", () => this.over, withinMs);
    return { code: await this.#gone, stdout: this.stdout, stderr: this.stderr };
  }

  signal(name: Deno.Signal): void {
    try {
      this.#child.kill(name);
    } catch (error) {
      // It ended by itself before.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async end(name: Deno.Signal): Promise<void> {
    this.signal(name);
    await this.#gone;
  }

  async #untilGone(): Promise<number> {
    const [{ code }] = await Promise.all([
      this.#child.status,
      this.#read(this.#child.stdout, (text) => this.stdout += text),
      this.#read(this.#child.stderr, (text) => this.stderr += text),
    ]);
    globalThis.removeEventListener("unload", this.#killWithUs);
    this.over = true;
    return code;
  }

  async #read(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    take: (text: string) => void,
  ): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
  }
}

/** Our environment without what would be a setting, and without colours. */
function environment(): Record<string, string> {
  const env = Deno.env.toObject();
  for (const { name } of SETTINGS) delete env[name];
  return { ...env, NO_COLOR: "1" };
}

/** Writes to standard error, beside what the test runner says. */
function show(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}
