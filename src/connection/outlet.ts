import type { Clock } from "../router/router.ts";
import { encodeJson, type Payload } from "../protocol/codec.ts";
import type { ErrorBody, ServerData, ServerFrame } from "../protocol/server_frames.ts";
import type { ConnectionCounts, Identity } from "./connection_deps.ts";
import type { Socket } from "./socket.ts";

/** What a frame carries beside its data. */
export type About = {
  /** Default: one of its own. */
  readonly id?: string | undefined;
  readonly seq?: number | undefined;
  /** The position from which the client could resume once it has this; left out where it stands for none. */
  readonly cursor?: number | undefined;
};

/** What goes out on one connection: frames get their ids and times, become bytes, and are counted. */
export class Outlet {
  readonly #socket: Socket;
  readonly #identity: Identity;
  readonly #clock: Clock;
  readonly #counts: ConnectionCounts;
  #ids = 0;

  constructor(
    socket: Socket,
    identity: Identity,
    { clock, counts }: { readonly clock: Clock; readonly counts: ConnectionCounts },
  ) {
    this.#socket = socket;
    this.#identity = identity;
    this.#clock = clock;
    this.#counts = counts;
  }

  /** An id that no other frame of this connection has. */
  newId(type: string): string {
    return `${type}_${this.#identity.connectionId}_${++this.#ids}`;
  }

  /** A frame, ready to be written. */
  frame<T extends keyof ServerData>(type: T, data: ServerData[T], { id, seq, cursor }: About = {}): Payload {
    // The pairing of `type` and `data` is the signature's; the compiler loses it in the union.
    const frame = {
      type,
      id: id ?? this.newId(type),
      timestamp: this.#clock.now(),
      data,
      ...(seq === undefined ? {} : { seq }),
    } as ServerFrame;
    return { bytes: encodeJson(frame), type, cursor };
  }

  /** An error frame, ready to be written; the error, and the limit that was met, are counted. */
  error({ id, error }: { readonly id: string | undefined; readonly error: ErrorBody }): Payload {
    const { errors, refused } = this.#counts;
    const { code, details } = error;
    errors[code] = (errors[code] ?? 0) + 1;
    const limit = code === "RATE_LIMITED" ? "MESSAGES_PER_SECOND" : details["limit"];
    if (typeof limit === "string") refused[limit] = (refused[limit] ?? 0) + 1;
    const frame = {
      type: "error",
      id: id ?? this.newId("error"),
      timestamp: this.#clock.now(),
      error,
    } as const;
    return { bytes: encodeJson(frame), type: "error", cursor: undefined };
  }

  /** Writes frames together, in order. */
  write(payloads: readonly Payload[]): void {
    if (payloads.length === 0) return;
    const bytes = this.#identity.codec.pack(payloads, this.#clock.now());
    this.writeBatch({ bytes, frames: payloads.length });
  }

  /** Writes frames that were packed already. */
  writeBatch({ bytes, frames }: { readonly bytes: Uint8Array; readonly frames: number }): void {
    this.#counts.frames += frames;
    this.#counts.bytes += bytes.length;
    this.#socket.write(bytes);
  }
}
