import { INSPECT } from "./inspector.ts";
import { PinnedProcess } from "./pinned_process.ts";

/** A core of the machine, as `taskset` counts them. */
export type Core = number;

/** The folder of the benchmark. */
const FOLDER = new URL("./", import.meta.url);

/** A program of the benchmark that takes commands as lines of JSON and answers each with one line. */
export class LineProcess implements AsyncDisposable {
  readonly #process: PinnedProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  /** The line of JSON with which it began, where it is to begin with one. */
  readonly hello: unknown;

  private constructor(process: PinnedProcess, hello: unknown) {
    this.#process = process;
    this.#lines = process.lines;
    this.#input = process.input.getWriter();
    this.hello = hello;
  }

  /** Starts a program of this folder. */
  static async start(
    program: string,
    { core, args = [], greets = false, inspect = false }: {
      core: Core;
      args?: readonly string[];
      greets?: boolean;
      inspect?: boolean;
    },
  ): Promise<LineProcess> {
    const deno = [
      "run",
      "-A",
      "--no-check",
      ...(inspect ? [INSPECT] : []),
      new URL(program, FOLDER).pathname,
      ...args,
    ];
    const process = PinnedProcess.start({ core, command: Deno.execPath(), args: deno });
    return new LineProcess(process, greets ? JSON.parse(await nextOf(process.lines, process)) : undefined);
  }

  /** What runs: to measure what it costs. */
  get process(): PinnedProcess {
    return this.#process;
  }

  /** Sends a command and resolves with its answer. Rejects when the program ends instead. */
  async ask(command: unknown): Promise<unknown> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(command)}\n`));
    return JSON.parse(await nextOf(this.#lines, this.#process));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await this.#input.abort().catch(() => {}); // it is closed already where the process ended by itself
  }
}

async function nextOf(lines: AsyncIterator<string>, process: PinnedProcess): Promise<string> {
  const { value, done } = await lines.next();
  if (done === true) throw new Error(`A program of the benchmark ended: ${process.said}`);
  return value;
}
