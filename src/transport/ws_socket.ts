import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import type { Socket } from "../connection/socket.ts";
import { concat } from "../protocol/codec.ts";

/** After this a close that the peer does not answer, or a drain that never comes, ends the hard way. */
const CLOSE_MS = 5_000;
/** So much may be under way from a peer that did not know yet that we have closed; one that sends more goes on regardless. */
const CLOSE_BYTES = 262_144;
/** So many messages of one peer are taken in before others have their turn, who would wait for all that it has sent at once. */
const MESSAGES_A_TURN = 8;

/** What `ws` closes with, by the code of its error; 1002 where it is any other of its own. */
const CLOSED_FOR: ReadonlyMap<string, number> = new Map([
  ["WS_ERR_UNSUPPORTED_MESSAGE_LENGTH", 1009],
  ["WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH", 1009],
  ["WS_ERR_TOO_MANY_BUFFERED_PARTS", 1008],
  ["WS_ERR_INVALID_UTF8", 1007],
]);

/** With what code `ws` closes at this error; undefined where it is none of its own, such as a reset. */
function closedFor(error: Error): number | undefined {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return code.startsWith("WS_ERR_") ? CLOSED_FOR.get(code) ?? 1002 : undefined;
}

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
  #code: number | undefined;
  /** Messages taken in since the last turn of the event loop, and what begins the next. */
  #taken = 0;
  #nextTurn: ReturnType<typeof setTimeout> | undefined;

  constructor(ws: WebSocket, stream: Duplex) {
    this.#ws = ws;
    this.#stream = stream;
    ws.once("close", () => clearTimeout(this.#nextTurn));
    ws.on("error", (error) => this.#broken(error));
  }

  /** The code that it was closed with by us, whatever the peer answers to that; undefined where we have not closed it. */
  get code(): number | undefined {
    return this.#code;
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
    else this.#goOnLater();
  }

  /**
   * Takes a message in: at once, or when reading goes on and others have had their turn. A paused `ws` still hands out what it
   * has read already.
   */
  whenReading(take: () => void): void {
    if (!this.#reading || this.#held.length > 0) {
      this.#held.push(take);
      return;
    }
    if (this.#taken < MESSAGES_A_TURN) return this.#take(take);
    this.#held.push(take);
    this.#ws.pause();
  }

  /** Calls `run` whenever what had piled up has gone out: the peer reads, though its pongs may be long in coming. */
  onTaken(run: () => void): void {
    this.#stream.on("drain", run);
  }

  close(code: number, reason: string): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#code = code;
    this.#reading = true;
    this.#held.length = 0;
    clearTimeout(this.#nextTurn);
    if (this.#ws.isPaused) this.#ws.resume();
    this.#ws.close(code, reason);
    this.#endSoon();
  }

  /** The peer broke WebSocket, for which `ws` closes by itself with the code that fits; or the connection. */
  #broken(error: Error): void {
    const code = closedFor(error);
    if (code === undefined || this.#code !== undefined) return;
    this.#code = code;
    this.#endSoon();
  }

  /** What comes now is read for the answer to our close frame alone, which it is waited for so long. */
  #endSoon(): void {
    const timer = setTimeout(() => this.#ws.terminate(), CLOSE_MS);
    this.#ws.once("close", () => clearTimeout(timer));
    let left = CLOSE_BYTES;
    this.#stream.on("data", (piece: Uint8Array) => {
      left -= piece.length;
      if (left < 0) this.#ws.terminate();
    });
  }

  #take(take: () => void): void {
    this.#taken++;
    this.#goOnLater();
    take();
  }

  #goOnLater(): void {
    this.#nextTurn ??= setTimeout(() => this.#goOn(), 0);
  }

  #goOn(): void {
    this.#nextTurn = undefined;
    this.#taken = 0;
    while (this.#reading && this.#taken < MESSAGES_A_TURN) {
      const take = this.#held.shift();
      if (take === undefined) break;
      this.#take(take);
    }
    const isFree = this.#reading && this.#held.length === 0;
    if (isFree && this.#ws.isPaused && this.#ws.readyState === this.#ws.OPEN) this.#ws.resume();
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

/** The bytes of a message, which `ws` hands out as a Buffer unless it is told otherwise. */
export function bytesOf(data: RawData): Uint8Array {
  return data instanceof ArrayBuffer ? new Uint8Array(data) : Array.isArray(data) ? concat(data) : data;
}
