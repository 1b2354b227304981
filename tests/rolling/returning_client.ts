import type { Client } from "../../src/client/client_interface.ts";
import { connect } from "../../src/client/client.ts";
import type { OpenSocket } from "../../src/client/socket.ts";
import { socketsOf } from "../../src/client/transport.ts";
import type { ServerFrame } from "../../src/protocol/server_frames.ts";
import type { Told } from "../gateway/watcher.ts";

/** How a client went from a gateway that told it to go to another one. Times are of `performance.now()`, ms. */
export type Move = {
  /** When the `drain` frame came, and the slot in it. */
  readonly toldMs: number;
  readonly slotMs: number;
  /** With what the gateway closed; undefined where the client was gone before it heard of that. */
  code: number | undefined;
  /** When it opened its next connection, and when the last one that it needed. */
  dialledMs: number | undefined;
  /** How many connections it opened until it was greeted. */
  dials: number;
  /** When it was greeted. */
  backMs: number | undefined;
};

const open = socketsOf({});

/**
 * The project's own client, watching status changes; what it is told, and what comes over its sockets, is noted beside
 * it. It knows nothing of that.
 */
export class ReturningClient {
  /** Every status change that the page was told. */
  readonly statuses: Told[] = [];
  readonly moves: Move[] = [];
  /** Connections that ended otherwise than by a drain: how. */
  readonly losses: string[] = [];
  /** Frames that told the page something else than status changes as they come. */
  readonly others: string[] = [];
  /** Status changes that came over the wire at, or before, the position of one that had come. */
  repeated = 0;
  isLive = false;
  readonly #client: Client;
  #sequence = 0;
  #move: Move | undefined;

  /** `wsUrl`: `ws://host:port`. */
  constructor(wsUrl: string) {
    this.#client = connect(wsUrl, { open: this.#watched() });
    this.#client.subscribe("task:status", (frame) => {
      if (frame.type === "caught_up") return;
      if (frame.type !== "task_status" || frame.snapshot === true || frame.seq === undefined) {
        return void this.others.push(frame.type);
      }
      this.statuses.push({ seq: frame.seq, taskId: frame.data.task_id, status: frame.data.status });
    }, { onLive: (isLive) => this.isLive = isLive });
  }

  /** The position of the last status change that it was told. */
  get sequence(): number {
    return this.statuses.at(-1)?.seq ?? 0;
  }

  close(): void {
    this.#client.close();
  }

  #watched(): OpenSocket {
    return (url, listener) => {
      const move = this.#move;
      if (move !== undefined) {
        move.dialledMs ??= performance.now();
        move.dials++;
      }
      let own: Move | undefined;
      return open(url, {
        message: (text) => {
          const frame: ServerFrame | Batch = JSON.parse(text);
          for (const one of frame.type === "batch" ? frame.data.frames : [frame]) {
            if (one.type === "drain") own = this.#told(one.data.reconnect_after_ms);
            else this.#came(one);
          }
          listener.message(text);
        },
        ended: (code, why) => {
          if (own === undefined) this.losses.push(`${code} ${why}`);
          else own.code = code;
          listener.ended(code, why);
        },
      });
    };
  }

  #told(slotMs: number): Move {
    const move: Move = {
      toldMs: performance.now(),
      slotMs,
      code: undefined,
      dialledMs: undefined,
      dials: 0,
      backMs: undefined,
    };
    this.moves.push(move);
    this.#move = move;
    return move;
  }

  #came(frame: ServerFrame): void {
    if (frame.type === "welcome" && this.#move !== undefined) {
      this.#move.backMs = performance.now();
      this.#move = undefined;
    }
    if (frame.type !== "task_status" || frame.seq === undefined) return;
    if (frame.seq <= this.#sequence) this.repeated++;
    this.#sequence = frame.seq;
  }
}

type Batch = { readonly type: "batch"; readonly data: { readonly frames: readonly ServerFrame[] } };
