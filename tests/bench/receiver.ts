import * as v from "valibot";
import { type Core, LineProcess } from "./line_process.ts";

/** How the connections of a group begin, and what is looked at of what comes. */
export type Opening = {
  readonly port: number;
  /** Here and in `hello`, `{i}` is the connection's number, from 1000 on; `{last}` see `comesBackAs`. */
  readonly path: string;
  readonly count: number;
  /** What the messages are made of, as far as pings and counting go. */
  readonly dialect: "websocket" | "engine.io" | "nats";
  /** The sub-protocol that is offered, where one is. */
  readonly protocol?: string;
  /** Whether compression is offered, each message for itself. What comes compressed is inflated where it is looked at. */
  readonly compress?: boolean;
  /** Whether a message may hold several frames, of which `positions` are to be noted each. */
  readonly batches?: boolean;
  /** Messages to send at the beginning. */
  readonly hello: readonly string[];
  /** A connection is open when this many frames have come. */
  readonly openAfter: number;
  /**
   * `count`: frame headers only. `positions`: where in the log each frame is, and when it came. `statuses`: status
   * changes counted, and their positions held to go up one by one.
   */
  readonly read: "count" | "positions" | "statuses";
  /** Only every so many-th connection is looked at like that, spread over all; the others are counted. Default: 1. */
  readonly lookAtEvery?: number;
  /** What each connection waits for; when all have it is asked with {@link Receiver.reached}. */
  readonly until?: { readonly statuses?: number; readonly frames?: number; readonly marker?: string };
  /** Whether the first frame of the first connection is to be reported. */
  readonly keepFirst?: boolean;
  /** Whether each connection notes what it needs to come back to a Socket.IO server, for a group that comes after. */
  readonly keepRecovery?: boolean;
  /**
   * The group, ended by now, whose connections come back: `{last}` is the position of the last status change that each
   * had counted, which is its cursor.
   */
  readonly comesBackAs?: string;
  /** A small receive buffer, so that who does not read is slow soon. */
  readonly receiveBufferBytes?: number;
  /** How many may be in their handshake at once. Default: 64. */
  readonly atOnce?: number;
};

/** What the receiver is told, a line of JSON each. */
export type ReceiverCommand =
  | { readonly do: "connect"; readonly group: string; readonly opening: Opening }
  | { readonly do: "start" }
  | { readonly do: "report" }
  | { readonly do: "reached"; readonly group: string; readonly withinMs: number }
  | { readonly do: "reading"; readonly group: string; readonly on: boolean }
  | { readonly do: "close"; readonly group: string };

const Opened = v.object({ ms: v.number(), open: v.number(), ended: v.array(v.string()) });
const Reached = v.object({ all: v.boolean(), count: v.number(), atMs: v.nullable(v.number()) });
const Samples = v.object({ positions: v.array(v.number()), timesMs: v.array(v.number()) });
const GroupReport = v.object({
  connections: v.number(),
  ended: v.array(v.string()),
  frames: v.number(),
  bytes: v.number(),
  /** Of one connection. */
  fewest: v.number(),
  most: v.number(),
  statuses: v.object({ total: v.number(), fewest: v.number(), doubles: v.number(), holes: v.number() }),
  /** Payload of the latest frame of the first connection. */
  frameBytes: v.number(),
  first: v.nullable(v.string()),
  samples: v.array(Samples),
});
const Report = v.object({
  elapsedMs: v.number(),
  /** Share of one core that the receiver itself used, 0–1. */
  cpu: v.number(),
  groups: v.record(v.string(), GroupReport),
});
/** What came since the start. */
export type Report = v.InferOutput<typeof Report>;
/** What came to one group since the start. */
export type GroupReport = v.InferOutput<typeof GroupReport>;

/** The receiving side of the load: a process of its own on a core that the server under test does not use. */
export class Receiver implements AsyncDisposable {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** Starts it. */
  static async start(core: Core): Promise<Receiver> {
    return new Receiver(await LineProcess.start("load_receiver.ts", { core }));
  }

  /** Opens a group of connections; resolves with how long it took, ms. Rejects when one could not be opened. */
  async connect(group: string, opening: Opening): Promise<number> {
    const opened = v.parse(Opened, await this.#ask({ do: "connect", group, opening }));
    if (opened.open === opening.count) return opened.ms;
    throw new Error(`${opened.open} of ${opening.count} connections were opened: ${opened.ended[0]}`);
  }

  /** Counts from here on. */
  async start(): Promise<void> {
    await this.#ask({ do: "start" });
  }

  /** What came since the start. */
  async report(): Promise<Report> {
    return v.parse(Report, await this.#ask({ do: "report" }));
  }

  /** Waits until every connection of the group has what it waits for; when the last had it, on the monotonic clock. */
  async reached(group: string, withinMs: number): Promise<v.InferOutput<typeof Reached>> {
    return v.parse(Reached, await this.#ask({ do: "reached", group, withinMs }));
  }

  /** Stops or starts reading. */
  async reading(group: string, on: boolean): Promise<void> {
    await this.#ask({ do: "reading", group, on });
  }

  /** Ends the connections of a group. */
  async close(group: string): Promise<void> {
    await this.#ask({ do: "close", group });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  #ask(command: ReceiverCommand): Promise<unknown> {
    return this.#process.ask(command);
  }
}
