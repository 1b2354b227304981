import process from "node:process";
import { environment } from "../cli/cli_process.ts";
import { eventually } from "../eventually.ts";
import { NODE } from "./node_program.ts";

const ROOT = new URL("../../", import.meta.url);
/** The most that something of these tests may take, ms. */
const END_MS = 30_000;

/** What a shell finds on its PATH by these names; each is a line of `sh`. */
export type Commands = Readonly<Record<string, string>>;

/**
 * Shell code as the README has it, run in the project's folder, where `npx -y deno` is the Deno that runs this. Disposing it ends
 * all that it started.
 */
export class Pasted implements AsyncDisposable {
  said = "";
  readonly #child: Deno.ChildProcess;
  readonly #gone: Promise<number>;
  readonly #folder: string;

  constructor(
    code: string,
    { url, env = {}, commands = {} }: {
      /** Of the gateway. */
      readonly url: string;
      readonly env?: Readonly<Record<string, string>>;
      readonly commands?: Commands;
    },
  ) {
    this.#folder = Deno.makeTempDirSync({ prefix: "taskwire-commands-" });
    const all: Commands = {
      npx: `shift 2; exec '${Deno.execPath()}' "$@"`,
      node: `exec ${NODE.map((word) => `'${word}'`).join(" ")} "$@"`,
      ...commands,
    };
    for (const [name, line] of Object.entries(all)) {
      Deno.writeTextFileSync(`${this.#folder}/${name}`, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    }
    this.#child = new Deno.Command("sh", {
      args: ["-euc", code],
      cwd: ROOT,
      clearEnv: true,
      env: {
        ...environment(),
        ...env,
        TASKWIRE_URL: url,
        PATH: `${this.#folder}:${Deno.env.get("PATH")}`,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      // A group of processes of its own, to be ended together.
      detached: true,
    }).spawn();
    this.#gone = this.#untilGone();
  }

  /** Waits until the shell has ended, and all that it started: its exit code. */
  async ended(): Promise<number> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`It did not end within ${END_MS} ms: ${this.said}`)),
      END_MS,
    );
    return await Promise.race([this.#gone, late.promise]).finally(() => clearTimeout(timer));
  }

  /** Tells all of it to end, and waits until it has. */
  async end(): Promise<void> {
    this.#signal("SIGTERM");
    await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal("SIGKILL");
    await this.#gone;
    await Deno.remove(this.#folder, { recursive: true });
  }

  #signal(name: "SIGTERM" | "SIGKILL"): void {
    try {
      process.kill(-this.#child.pid, name);
    } catch {
      // All of it is gone.
    }
  }

  async #untilGone(): Promise<number> {
    const [{ code }] = await Promise.all([
      this.#child.status,
      ...[this.#child.stdout, this.#child.stderr].map(async (stream) => {
        for await (const text of stream.pipeThrough(new TextDecoderStream())) this.said += text;
      }),
    ]);
    return code;
  }
}

/** Waits until the gateway has a task of this id that is so; what it has of it then. */
export async function taskThatIs(
  gateway: { get(path: string): Promise<unknown> },
  id: string,
  status: string,
): Promise<Record<string, unknown>> {
  let task: Record<string, unknown> = {};
  await eventually(`task ${id} is ${status}`, async () => {
    task = Object(await gateway.get(`/api/tasks/${id}`).catch(() => ({})));
    return task["status"] === status;
  }, END_MS);
  return task;
}
