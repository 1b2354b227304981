import { SETTINGS } from "../../src/settings/environment.ts";
import { eventually } from "../eventually.ts";

const ROOT = new URL("../../", import.meta.url);
/** The most that a command of these tests may take, ms. */
const END_MS = 30_000;

/** How the command line is run. */
export type CliOptions = {
  /** The gateway, as `TASKWIRE_URL`. */
  readonly url?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Its standard input, which stays open unless it is closed behind that. Default: there is none. */
  readonly stdin?: string;
  readonly closesStdin?: boolean;
  /** `null`: its standard output goes nowhere. Default: it is kept. */
  readonly stdout?: "piped" | "null";
};

/** How it ended, and what it said. */
export type CliEnd = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs the command line to its end, as a process. */
export async function cli(args: readonly string[], options: CliOptions = {}): Promise<CliEnd> {
  await using process = new CliProcess(args, options);
  return await process.ended();
}

/** The command line as a process. Disposing it kills it if it still runs. */
export class CliProcess implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly #child: Deno.ChildProcess;
  readonly #gone: Promise<number>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | undefined;
  #isOver = false;

  constructor(
    args: readonly string[],
    { url, env = {}, stdin, closesStdin = false, stdout = "piped" }: CliOptions = {},
  ) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "src/cli/main.ts", ...args],
      cwd: ROOT,
      clearEnv: true,
      env: { ...environment(), ...(url === undefined ? {} : { TASKWIRE_URL: url }), ...env },
      stdin: stdin === undefined ? "null" : "piped",
      stdout,
      stderr: "piped",
    }).spawn();
    this.#input = stdin === undefined ? undefined : this.#child.stdin.getWriter();
    // It may end before it has read all of it.
    this.#input?.write(new TextEncoder().encode(stdin)).catch(() => {});
    if (closesStdin) this.#input?.close().catch(() => {});
    this.#gone = this.#untilGone(stdout === "piped");
  }

  /** Waits until it has ended. */
  async ended(): Promise<CliEnd> {
    await eventually(`the command ended; it said: ${this.stdout}${this.stderr}`, () => this.#isOver, END_MS);
    return { code: await this.#gone, stdout: this.stdout, stderr: this.stderr };
  }

  /** Waits until its standard output holds `text`. */
  async said(text: string): Promise<void> {
    await eventually(`the command said ${text}`, () => this.stdout.includes(text), END_MS);
  }

  /** Sends it a signal. */
  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) this.#child.kill("SIGKILL");
    await this.#gone;
  }

  async #untilGone(isHeard: boolean): Promise<number> {
    const [{ code }] = await Promise.all([
      this.#child.status,
      isHeard ? read(this.#child.stdout, (text) => this.stdout += text) : undefined,
      read(this.#child.stderr, (text) => this.stderr += text),
    ]);
    await this.#input?.abort().catch(() => {});
    this.#isOver = true;
    return code;
  }
}

async function read(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (text: string) => void,
): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
}

/** Our environment without what would be a setting, and without colours. */
export function environment(): Record<string, string> {
  const env = Deno.env.toObject();
  for (const { name } of SETTINGS) delete env[name];
  delete env.TASKWIRE_URL;
  delete env.TASKWIRE_TOKEN;
  return { ...env, NO_COLOR: "1" };
}

/** The lines of a text. */
export function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
