import { librariesOf } from "../debian_program.ts";
import { eventually } from "../eventually.ts";

/** The most that a start may take on a machine that has much else to do, ms. */
const START_MS = 20_000;

/** The last characters of what it said that are kept. */
const KEPT = 16_384;

/** How a program is run, beside its arguments. */
export type RunOptions = Pick<Deno.CommandOptions, "cwd" | "env" | "clearEnv" | "uid" | "gid">;

/** A program that serves until it is told to end. Disposing it ends it, and what it started. */
export class ServerProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  /** The code with which it ended. */
  readonly gone: Promise<number>;
  readonly #killWithUs = () => this.signal("SIGKILL");
  #isOver = false;
  /** What it wrote. */
  said = "";

  private constructor(binary: string, args: readonly string[], options: RunOptions) {
    this.#child = new Deno.Command(binary, {
      args: [...args],
      env: librariesOf(binary),
      ...options,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    globalThis.addEventListener("unload", this.#killWithUs);
    this.gone = this.#untilGone();
  }

  /** Starts it and waits until it `isUp`, which is asked with what it said. Rejects with what it said where it does not come up. */
  static async start(
    binary: string,
    args: readonly string[],
    isUp: (said: string) => boolean | Promise<boolean>,
    options: RunOptions = {},
  ): Promise<ServerProcess> {
    const server = new ServerProcess(binary, args, options);
    try {
      await eventually(`${binary} is up`, async () => server.#isOver || await isUp(server.said), START_MS);
      if (server.#isOver) throw new Error(`${binary} ended: ${server.said}`);
      return server;
    } catch (cause) {
      await server[Symbol.asyncDispose]();
      throw new Error(`${binary} did not come up: ${server.said}`, { cause });
    }
  }

  /** Runs a program of the same kind to its end: its code, and what it said. */
  static async ended(
    binary: string,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<{ code: number; said: string }> {
    const { code, stdout, stderr } = await new Deno.Command(binary, {
      args: [...args],
      env: librariesOf(binary),
      ...options,
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    return { code, said: `${text.decode(stdout)}${text.decode(stderr)}` };
  }

  signal(name: Deno.Signal): void {
    try {
      this.#child.kill(name);
    } catch (error) {
      // It ended by itself before.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // nginx and haproxy end their workers at this one; at SIGKILL they would leave them.
    this.signal("SIGTERM");
    const late = setTimeout(() => this.signal("SIGKILL"), 5_000);
    await this.gone;
    clearTimeout(late);
    globalThis.removeEventListener("unload", this.#killWithUs);
  }

  async #untilGone(): Promise<number> {
    const [{ code }] = await Promise.all([
      this.#child.status,
      this.#read(this.#child.stdout),
      this.#read(this.#child.stderr),
    ]);
    this.#isOver = true;
    return code;
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.said = (this.said + text).slice(-KEPT);
    }
  }
}

/** A port that is free now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

/** Whether something answers there with success. */
export async function answers(url: string): Promise<boolean> {
  const response = await fetch(url).catch(() => undefined);
  await response?.body?.cancel();
  return response?.ok === true;
}
