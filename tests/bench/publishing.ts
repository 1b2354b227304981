import * as v from "valibot";
import { type Core, LineProcess } from "./line_process.ts";
import type { Workload } from "./workload.ts";

/** What is published at a steady pace. */
export type Steady = {
  readonly do: "steady";
  /** Of the NATS server. */
  readonly port: number;
  readonly workload: Workload;
  readonly tasks: number;
  /** Events a second. */
  readonly rate: number;
  readonly events: number;
  /** The number of the first event. */
  readonly from: number;
  /** Whether a stream answers for the last event where it was stored. */
  readonly stored: boolean;
};

/** What is published as fast as a stream stores it. */
export type Burst = {
  readonly do: "burst";
  readonly port: number;
  readonly workload: Workload | "history";
  readonly tasks: number;
  readonly events: number;
  readonly from: number;
};

/** Events posted to a gateway. */
export type Posts = {
  readonly do: "post";
  readonly url: string;
  /** Events a request. */
  readonly batch: number;
  /** Requests at once. */
  readonly atOnce: number;
  readonly seconds: number;
};

/** What the publisher is told, a line of JSON each. */
export type PublisherCommand = Steady | Burst | Posts;

const Published = v.object({
  /** When each event was handed to the socket, on the monotonic clock in ms. */
  timesMs: v.array(v.number()),
  /** The position of the last one in the stream. */
  lastSeq: v.nullable(v.number()),
});
/** What came of publishing steadily. */
export type Published = v.InferOutput<typeof Published>;

const Stored = v.object({ ms: v.number(), lastSeq: v.number() });
const Posted = v.object({ ms: v.number(), events: v.number(), lastSeq: v.number(), failed: v.number() });

/** The worker's side of the load: a process of its own. */
export class Publisher implements AsyncDisposable {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** Starts it. */
  static async start(core: Core): Promise<Publisher> {
    return new Publisher(await LineProcess.start("publisher.ts", { core }));
  }

  /** Publishes at a steady pace; resolves when the last event is out, and stored where that was asked. */
  async steady(what: Omit<Steady, "do">): Promise<Published> {
    return v.parse(Published, await this.#process.ask({ do: "steady", ...what } satisfies PublisherCommand));
  }

  /** Publishes as fast as it is stored; resolves with how long that took, ms. */
  async burst(what: Omit<Burst, "do">): Promise<v.InferOutput<typeof Stored>> {
    return v.parse(Stored, await this.#process.ask({ do: "burst", ...what } satisfies PublisherCommand));
  }

  /** Posts as fast as it is answered. */
  async post(what: Omit<Posts, "do">): Promise<v.InferOutput<typeof Posted>> {
    return v.parse(Posted, await this.#process.ask({ do: "post", ...what } satisfies PublisherCommand));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
