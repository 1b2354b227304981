import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Socket } from "../connection/connection.ts";

/** After this a close that the peer does not answer, or a drain that never comes, ends the hard way. */
const CLOSE_MS = 5_000;

/**
 * A WebSocket of `ws` whose frames are prepared by us and written straight to its TCP socket: one system call a
 * flush. `ws` keeps what it is good at: handshake, parsing, size limits, pings and the closing handshake.
 */
export class WsSocket implements Socket {
  readonly #ws: WebSocket;
  readonly #stream: Duplex;

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
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (!reading && !this.#ws.isPaused) this.#ws.pause();
    else if (reading && this.#ws.isPaused) this.#ws.resume();
  }

  close(code: number, reason: string): void {
    if (this.#ws.isPaused) this.#ws.resume();
    this.#ws.close(code, reason);
    const timer = setTimeout(() => this.#ws.terminate(), CLOSE_MS);
    this.#ws.once("close", () => clearTimeout(timer));
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
