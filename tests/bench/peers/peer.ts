import * as v from "valibot";
import { type Core, LineProcess } from "../line_process.ts";
import type { PinnedProcess } from "../pinned_process.ts";
import type { Opening } from "../receiver.ts";

/** A server of the same purpose that others have built, or what every such server does at the least. */
export type PeerName = "ws" | "Socket.IO" | "relay";

/** How its clients connect. */
export type PeerOpening = Pick<Opening, "port" | "path" | "dialect" | "hello" | "openAfter">;

const PROGRAMS = {
  "ws": "peers/ws_broadcast.ts",
  "Socket.IO": "peers/socket_io.ts",
  "relay": "peers/relay.ts",
} as const;

/** A peer as a process of its own, on the core and the runtime that ours has. */
export class Peer implements AsyncDisposable {
  readonly #process: LineProcess;
  readonly opening: PeerOpening;

  private constructor(process: LineProcess, opening: PeerOpening) {
    this.#process = process;
    this.opening = opening;
  }

  /** Starts it and waits until it listens. */
  static async start(
    name: PeerName,
    { core, natsUrl, recovery = false, inspect = false }: {
      core: Core;
      natsUrl: string;
      recovery?: boolean;
      inspect?: boolean;
    },
  ): Promise<Peer> {
    const args = [natsUrl, ...(recovery ? ["recovery"] : [])];
    const process = await LineProcess.start(PROGRAMS[name], { core, args, greets: true, inspect });
    const { port } = v.parse(v.object({ port: v.number() }), process.hello);
    return new Peer(process, { port, ...OPENINGS[name] });
  }

  /** What runs: to measure what it costs. */
  get process(): PinnedProcess {
    return this.#process.process;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

const OPENINGS: Readonly<Record<PeerName, Omit<PeerOpening, "port">>> = {
  "ws": { path: "/", dialect: "websocket", hello: [], openAfter: 0 },
  // Engine.IO says hello, we ask for the namespace, and Socket.IO says that we are in it.
  "Socket.IO": {
    path: "/socket.io/?EIO=4&transport=websocket",
    dialect: "engine.io",
    hello: ["40"],
    openAfter: 2,
  },
  "relay": { path: "/", dialect: "nats", hello: [], openAfter: 0 },
};
