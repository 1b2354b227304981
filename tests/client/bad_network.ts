import { connect, createServer, type Server, type Socket } from "node:net";

/** What is wrong with a network. */
export type Badness = {
  /** Each way, ms. */
  readonly latencyMs?: number;
  /** The share of chunks, from the gateway, that hold everything up for a second. */
  readonly stalls?: number;
  /** Every connection breaks after so long. */
  readonly cutEveryMs?: number;
  /** The first connection falls silent after so long, both ways, without either end hearing of it. */
  readonly silentAfterMs?: number;
  /** What the client takes of each connection. */
  readonly bytesPerSecond?: number;
};

const STALL_MS = 1_000;
/** What a slow client takes at once. */
const SIPS_PER_SECOND = 20;

/** A TCP proxy on the way to a gateway that treats what passes as a bad network does. */
export class BadNetwork implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #connections = 0;
  #isWell = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens; hands on to `port` of this machine. */
  static start(port: number, badness: Badness): Promise<BadNetwork> {
    const server = createServer({ noDelay: true });
    const network = new BadNetwork(server);
    server.on("connection", (client: Socket) => network.#pass(client, port, badness));
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(network)));
  }

  /** Where clients connect to. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return address.port;
  }

  /** How many connections there were. */
  get connections(): number {
    return this.#connections;
  }

  /** Nothing is wrong with it any more; what fell silent stays so. */
  heal(): void {
    this.#isWell = true;
  }

  /** Breaks all connections that there are now. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(client: Socket, port: number, badness: Badness): void {
    const gateway = connect({ host: "127.0.0.1", port, noDelay: true });
    const isFirst = ++this.#connections === 1;
    let isSilent = false;
    for (const [from, to] of [[client, gateway], [gateway, client]] as const) {
      this.#sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        if (!isSilent) to.destroy();
      });
    }
    const { latencyMs = 0, stalls = 0, cutEveryMs, silentAfterMs, bytesPerSecond } = badness;
    this.#forward(client, gateway, { latencyMs, stalls: 0, bytesPerSecond: undefined }, () => isSilent);
    this.#forward(gateway, client, { latencyMs, stalls, bytesPerSecond }, () => isSilent);
    if (cutEveryMs !== undefined) {
      this.#after(cutEveryMs, () => this.#isWell || [client, gateway].forEach((one) => one.destroy()));
    }
    if (silentAfterMs !== undefined && isFirst) this.#after(silentAfterMs, () => isSilent = !this.#isWell);
  }

  /** Hands chunks on, one after the other; the one that waits holds up those behind it, and in the end their sender. */
  #forward(
    from: Socket,
    to: Socket,
    bad: { readonly latencyMs: number; readonly stalls: number; readonly bytesPerSecond: number | undefined },
    isSilent: () => boolean,
  ): void {
    let before = Promise.resolve();
    let waiting = 0;
    from.on("data", (chunk: Uint8Array) => {
      waiting += chunk.length;
      // What a network holds on its way is not much.
      if (waiting > 65_536) from.pause();
      const arrivesAt = performance.now() + bad.latencyMs;
      before = before.then(async () => {
        await this.#sleep(arrivesAt - performance.now());
        if (Math.random() < bad.stalls) await this.#sleep(STALL_MS);
        const { bytesPerSecond = Infinity } = bad;
        const sip = bytesPerSecond === Infinity ? chunk.length : Math.ceil(bytesPerSecond / SIPS_PER_SECOND);
        for (let at = 0; at < chunk.length; at += sip) {
          if (!to.destroyed && !isSilent()) to.write(chunk.subarray(at, at + sip));
          if (bytesPerSecond !== Infinity) await this.#sleep(1_000 / SIPS_PER_SECOND);
        }
        waiting -= chunk.length;
        if (waiting <= 65_536 && !from.destroyed) from.resume();
      });
    });
  }

  #sleep(ms: number): Promise<void> {
    return ms <= 0 || this.#isWell ? Promise.resolve() : new Promise((resolve) => this.#after(ms, resolve));
  }

  #after(ms: number, run: () => unknown): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}
