/** What to run, and on which core. */
export type Command = {
  readonly core: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** The lines of an ended process that are kept for the message of its end. */
const KEPT_CHARACTERS = 4_000;
/** The kernel counts a process's time in ticks of this many ms. */
const TICK_MS = 10;

/** The processor time that a process has used so far, ms. */
export function cpuMsOf(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name before may hold blanks; user and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** A process that runs on one core only. It is killed with us. */
export class PinnedProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #killWithUs = () => this.signal("SIGKILL");
  readonly #gone: Promise<void>;
  /** The lines of its standard output. */
  readonly lines: AsyncIterator<string>;
  #said = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.lines = linesOf(child.stdout);
    globalThis.addEventListener("unload", this.#killWithUs);
    this.#gone = this.#untilGone();
  }

  /** Starts it. */
  static start({ core, command, args, env = {} }: Command): PinnedProcess {
    return new PinnedProcess(
      // `taskset` becomes the program, so that its process id is the program's.
      new Deno.Command("taskset", {
        args: ["-c", String(core), command, ...args],
        env: { ...env, NO_COLOR: "1" },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
    );
  }

  /** Its standard input. */
  get input(): WritableStream<Uint8Array> {
    return this.#child.stdin;
  }

  /** The end of what it wrote to standard error. */
  get said(): string {
    return this.#said;
  }

  /** Sends a signal; nothing happens where it has ended. */
  signal(name: Deno.Signal): void {
    try {
      this.#child.kill(name);
    } catch (error) {
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** The processor time that it has used so far, ms. */
  cpuMs(): number {
    return cpuMsOf(this.#child.pid);
  }

  /** The memory that it holds, bytes. */
  memoryBytes(): number {
    return this.#status("VmRSS");
  }

  /** The most memory that it has ever held, bytes. */
  peakMemoryBytes(): number {
    return this.#status("VmHWM");
  }

  /** `kill -9`; resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#gone;
  }

  /** SIGTERM; resolves when it is gone. */
  async terminate(): Promise<void> {
    this.signal("SIGTERM");
    await this.#gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.lines.return?.();
  }

  #status(name: string): number {
    const status = Deno.readTextFileSync(`/proc/${this.#child.pid}/status`);
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1_024;
  }

  async #untilGone(): Promise<void> {
    await Promise.all([this.#child.status, this.#listen()]);
    globalThis.removeEventListener("unload", this.#killWithUs);
  }

  async #listen(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#said = (this.#said + text).slice(-KEPT_CHARACTERS);
    }
  }
}

async function* linesOf(output: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest: string[] = [];
  for await (const text of output.pipeThrough(new TextDecoderStream())) {
    const [first = "", ...more] = text.split("\n");
    rest.push(first);
    for (const part of more) {
      yield rest.join("");
      rest = [part];
    }
  }
}
