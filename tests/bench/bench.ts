import { type NatsServer, startNatsServer } from "../nats_server.ts";
import type { Core } from "./line_process.ts";
import type { PinnedProcess } from "./pinned_process.ts";

/** The core of whatever is measured. */
export const SERVER_CORE: Core = 0;
/** The core of all else: worker, receiver, NATS server, and the benchmark itself. */
export const LOAD_CORE: Core = 1;

const SAMPLE_MS = 250;
const QUIET_MS = 1_000;
/** Of a core. */
const QUIET_SHARE = 0.05;
const MOST_BUSY_MS = 120_000;
/** Memory that changes by less than this share has settled. */
const SETTLED_SHARE = 0.005;

/** What scenarios share: how thorough to be, folders, stores that are filled once, and what was found out before. */
export class Bench implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #kept = new Map<string, Promise<unknown>>();
  readonly #hints = new Map<string, number>();
  /** Whether it is but tried out: shorter, fewer alternations. */
  readonly quick: boolean;
  /** Prints a line about what is going on. */
  readonly say: (line: string) => void;

  constructor(options: { readonly quick: boolean; readonly say: (line: string) => void }) {
    this.quick = options.quick;
    this.say = options.say;
  }

  /** One value for a thorough run, another for trying out. */
  pick<T>(thorough: T, quick: T): T {
    return this.quick ? quick : thorough;
  }

  /** What an alternation before found out, to begin the next with; notes it where it is given. */
  hint(name: string, value?: number): number | undefined {
    if (value !== undefined) this.#hints.set(name, value);
    return this.#hints.get(name);
  }

  /** A folder, below the one that goes with the benchmark. */
  folder(): Promise<string> {
    return Deno.makeTempDir({ prefix: "folder-" });
  }

  /** What `make` makes, made once for all alternations and gone with the benchmark. */
  keep<T extends AsyncDisposable>(name: string, make: () => Promise<T>): Promise<T> {
    // What is kept under a name is made by one caller, and so of one type.
    const known = this.#kept.get(name) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const made = make().then((value) => this.#stack.use(value));
    this.#kept.set(name, made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** A NATS server on the load's core, where we run too. */
export async function natsServer(): Promise<
  { readonly server: NatsServer; readonly port: number } & AsyncDisposable
> {
  const server = await startNatsServer({ websocket: true });
  return { server, port: portOf(server.url), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** The port of a URL. */
export function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** Waits. Only for what is measured over time, never for something to have happened. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until a process has next to nothing to do. Rejects when that does not come about. */
export async function quiet(process: PinnedProcess): Promise<void> {
  for (let waitedMs = 0; waitedMs < MOST_BUSY_MS; waitedMs += QUIET_MS) {
    const cpuMs = process.cpuMs();
    await pause(QUIET_MS);
    if (process.cpuMs() - cpuMs < QUIET_MS * QUIET_SHARE) return;
  }
  throw new Error(`It was busy for more than ${MOST_BUSY_MS} ms`);
}

/** The resident memory of a process once it changes no more, bytes. */
export async function settledMemory(bench: Bench, process: PinnedProcess): Promise<number> {
  const [mostMs, quietMs] = bench.pick([10_000, 2_000], [6_000, 2_000]);
  let bytes = process.memoryBytes();
  for (let waitedMs = 0, quietForMs = 0; waitedMs < mostMs && quietForMs < quietMs; waitedMs += SAMPLE_MS) {
    await pause(SAMPLE_MS);
    const now = process.memoryBytes();
    quietForMs = Math.abs(now - bytes) < bytes * SETTLED_SHARE ? quietForMs + SAMPLE_MS : 0;
    if (quietForMs === 0) bytes = now;
  }
  return process.memoryBytes();
}
