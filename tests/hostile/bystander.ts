/** What its thread is asked. */
export type Asked =
  | {
    readonly kind: "connect";
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly echoPort: number;
  }
  | { readonly kind: "start" }
  | { readonly kind: "stop" }
  | { readonly kind: "leave" };

/** What its thread answers. */
export type Told =
  | { readonly kind: "connected" | "started" | "left" }
  | { readonly kind: "failed"; readonly why: string }
  | {
    readonly kind: "stopped";
    /** Of each ping that was answered, ms. */
    readonly latencies: readonly number[];
    /** What a round trip to somebody else took at the same time, ms. */
    readonly echoes: readonly number[];
    readonly unanswered: number;
    /** How its connections ended, which they should not. */
    readonly closes: readonly string[];
  };

/** How somebody was served for a while. */
export type Served = {
  readonly pings: number;
  readonly p99Ms: number;
  /** What the machine alone took for a round trip meanwhile, the 99th percentile. */
  readonly machineMs: number;
};

/** Somebody who does nothing wrong, and is served while others attack. */
export class Bystander implements AsyncDisposable {
  readonly #worker = workerOf("./bystander_worker.ts");
  readonly #echo = workerOf("./echo_worker.ts");
  #waiting = Promise.withResolvers<Told>();

  private constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<Told>) => this.#waiting.resolve(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#waiting.reject(new Error(`The bystander failed: ${event.message}`));
    };
  }

  /** Connects. Rejects when it is not let in. */
  static async connect(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Bystander> {
    const bystander = new Bystander();
    const echoPort = await new Promise<number>((resolve) => {
      bystander.#echo.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
    });
    await bystander.#ask({ kind: "connect", url, headers, echoPort });
    return bystander;
  }

  /** How it is served while `work` goes on. Rejects when it is not served at all, or was turned away. */
  async during(work: () => Promise<void>): Promise<Served> {
    await this.#ask({ kind: "start" });
    await work();
    const told = await this.#ask({ kind: "stop" });
    if (told.kind !== "stopped") throw new TypeError(`stop was answered with ${told.kind}`);
    if (told.closes.length > 0) throw new Error(`The bystander was turned away: ${told.closes.join(", ")}`);
    if (told.unanswered > 0) throw new Error(`${told.unanswered} pings of the bystander were not answered`);
    return { pings: told.latencies.length, p99Ms: p99(told.latencies), machineMs: p99(told.echoes) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ask({ kind: "leave" });
    this.#worker.terminate();
    this.#echo.terminate();
  }

  async #ask(asked: Asked): Promise<Told> {
    this.#waiting = Promise.withResolvers<Told>();
    this.#worker.postMessage(asked);
    const told = await this.#waiting.promise;
    if (told.kind === "failed") throw new Error(told.why);
    return told;
  }
}

function workerOf(file: string): Worker {
  return new Worker(new URL(file, import.meta.url), { type: "module" });
}

/** The 99th percentile. */
function p99(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0;
}
