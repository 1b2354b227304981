import type { ServerResponse } from "node:http";
import type { Socket } from "../connection/socket.ts";
import { closeEvent, HEARTBEAT, retryLine } from "../protocol/sse.ts";

/** After this a peer that does not take what was written before the close is left. */
const CLOSE_MS = 5_000;

/** The code under which a stream is counted that its reader left. */
const LEFT = 1005;

/** A stream of Server-Sent Events over the response to a request, at the pace at which that drains. It reads nothing. */
export class SseSocket implements Socket {
  readonly #response: ServerResponse;
  #code = LEFT;
  #quietMs = 0;
  #stalledMs = 0;

  /** Begins the response; `retryMs`: when the reader is to come back by itself after it was lost. */
  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>, retryMs: number) {
    this.#response = response;
    response.on("error", () => {}); // the close event follows
    response.on("drain", () => this.#stalledMs = 0);
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-accel-buffering": "no", // nginx would gather events otherwise
      // One stream, one connection: nothing is left of it when it is over.
      connection: "close",
      ...headers,
    });
    response.write(retryLine(retryMs));
  }

  /** The code that it was closed with, or that of a stream whose reader went. */
  get code(): number {
    return this.#code;
  }

  get congested(): boolean {
    return this.#response.writableNeedDrain;
  }

  write(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#quietMs = 0;
    this.#response.write(bytes);
  }

  onceDrained(run: () => void): void {
    if (this.congested && !this.#isOver) this.#response.once("drain", run);
    else run();
  }

  setReading(): void {}

  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#code = code;
    this.#response.end(closeEvent(code, reason));
    const timer = setTimeout(() => this.terminate(), CLOSE_MS);
    this.#response.once("close", () => clearTimeout(timer));
  }

  /** `ms` have passed. Returns how long nothing was written by now, and how long nothing that was written was taken. */
  passed(ms: number): { readonly quietMs: number; readonly stalledMs: number } {
    this.#quietMs += ms;
    this.#stalledMs = this.congested ? this.#stalledMs + ms : 0;
    return { quietMs: this.#quietMs, stalledMs: this.#stalledMs };
  }

  /** Shows that the stream is alive; a peer that is gone comes to light by it. */
  beat(): void {
    if (!this.congested) this.write(HEARTBEAT);
  }

  /** Ends it at once. */
  terminate(): void {
    this.#response.destroy();
  }

  get #isOver(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }
}
