import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** How much may be under way. */
export type UnreadBounds = {
  /** Requests of one connection that are not answered to the end; one more ends it. */
  readonly pipelined: number;
  /** Bytes of answers that nobody has taken, of all connections; beyond, further requests are turned away. */
  readonly bytes: number;
  /** After so long, ms, in which nothing was taken of what waits, a connection ends. */
  readonly stalledMs: number;
};

const BOUNDS: UnreadBounds = { pipelined: 32, bytes: 67_108_864, stalledMs: 30_000 };
/** How old the count of bytes may be, ms. */
const COUNT_MS = 20;

type UnderWay = { requests: number; unread: number; movedMs: number };

/**
 * Answers that were made and not taken. Who asks on without reading would have us keep them: each connection has so many
 * requests under way, and all of them so many bytes.
 */
export class UnreadAnswers {
  readonly #now: () => number;
  readonly #bounds: UnreadBounds;
  readonly #underWay = new Map<Socket, UnderWay>();
  #bytes = 0;
  #countedMs = -Infinity;

  constructor(now: () => number, bounds: UnreadBounds = BOUNDS) {
    this.#now = now;
    this.#bounds = bounds;
  }

  /** Takes in a request: `end` its connection, answer that there is no `room`, or let it pass. */
  take(request: IncomingMessage, response: ServerResponse): "end" | "noRoom" | "pass" {
    const { socket } = request;
    const known = this.#underWay.get(socket) ?? { requests: 0, unread: 0, movedMs: this.#now() };
    if (known.requests >= this.#bounds.pipelined) return "end";
    known.requests++;
    this.#underWay.set(socket, known);
    response.once("close", () => {
      known.requests--;
      if (known.requests <= 0) this.#underWay.delete(socket);
    });
    return this.#count() > this.#bounds.bytes ? "noRoom" : "pass";
  }

  #count(): number {
    const nowMs = this.#now();
    if (nowMs - this.#countedMs < COUNT_MS) return this.#bytes;
    this.#countedMs = nowMs;
    this.#bytes = 0;
    for (const [socket, known] of this.#underWay) {
      const unread = socket.writableLength;
      if (unread < known.unread || unread === 0) known.movedMs = nowMs;
      known.unread = unread;
      this.#bytes += unread;
      if (nowMs - known.movedMs >= this.#bounds.stalledMs) socket.destroy();
    }
    return this.#bytes;
  }
}
