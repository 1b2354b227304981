import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Socket } from "../connection/socket.ts";

/** After this a close that the peer does not answer, or a drain that never comes, ends the hard way. */
const CLOSE_MS = 5_000;

/**
 * A WebSocket of `ws` whose frames are prepared by us and written straight to its TCP socket: one system call a
 * flush. `ws` keeps what it is good at: handshake, parsing, size limits, pings and the closing handshake.
 */
export class WsSocket implements Socket {
  readonly #ws: WebSocket;
  readonly #stream: Duplex;
  /** What is to be done with messages that `ws` had read along with the one at which reading stopped: 64 KiB at most. */
  readonly #held: (() => void)[] = [];
  #reading = true;

  constructor(ws: WebSocket, stream: Duplex) {
    this.#ws = ws;
    this.#stream = stream;
  }

  get congested(): boolean {
    return this.#stream.writableNeedDrain;
  }

  write(bytes: Uint8Array): void {
    // Past a close frame nothing may follow (RFC 6455 §5.5.1).
    if (this.#ws.readyState === this.#ws.OPEN && this.#stream.writable) this.#stream.write(bytes);
  }

  onceDrained(run: () => void): void {
    if (this.#stream.writableNeedDrain && !this.#stream.destroyed) this.#stream.once("drain", run);
    else run();
  }

  setReading(reading: boolean): void {
    if (this.#ws.readyState !== this.#ws.OPEN || reading === this.#reading) return;
    this.#reading = reading;
    if (!reading) this.#ws.pause();
    else queueMicrotask(() => this.#goOn()); // who asks for it is in the middle of a turn
  }

  /** Takes a message in: at once, or when reading goes on. A paused `ws` still hands out what it has read already. */
  whenReading(take: () => void): void {
    if (this.#reading && this.#held.length === 0) take();
    else this.#held.push(take);
  }

  /** Calls `run` whenever what had piled up has gone out: the peer reads, though its pongs may be long in coming. */
  onTaken(run: () => void): void {
    this.#stream.on("drain", run);
  }

  close(code: number, reason: string): void {
    this.#reading = true;
    this.#held.length = 0;
    if (this.#ws.isPaused) this.#ws.resume();
    this.#ws.close(code, reason);
    const timer = setTimeout(() => this.#ws.terminate(), CLOSE_MS);
    this.#ws.once("close", () => clearTimeout(timer));
  }

  #goOn(): void {
    while (this.#reading && this.#held.length > 0) this.#held.shift()?.();
    if (this.#reading && this.#ws.readyState === this.#ws.OPEN) this.#ws.resume();
  }

  /** Asks whether the peer is there. */
  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
  }

  /** Ends it at once. */
  terminate(): void {
    this.#ws.terminate();
  }
}
