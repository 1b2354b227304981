import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { ProgressFold } from "../../src/client/progress_fold.ts";
import type { Socket } from "../../src/connection/socket.ts";
import { ServerMessageSchema } from "../../src/protocol/server_schemas.ts";
import type { Frame } from "../websocket_client.ts";

/** A frame as it was written. */
export type Written = {
  readonly frame: Frame;
  /** Position of the frame among all that were written to this socket. */
  readonly index: number;
  /** Whether it came within a `batch` frame. */
  readonly batched: boolean;
};

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * A socket in memory. It takes everything, holds each write to RFC 6455 and to the schema of the protocol, and is
 * congested when a test says so.
 */
export class FakeSocket implements Socket {
  readonly written: Written[] = [];
  /** Called with each frame as it is written. */
  onWritten: (written: Written) => void = () => {};
  /** How many times something was written. */
  writes = 0;
  /** Whether the connection reads what the client sends. */
  reading = true;
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** While on, every write congests the socket. */
  slow = false;
  #congested = false;
  /** What was told by what changed is kept whole. */
  readonly #fold = new ProgressFold();
  #waiting: (() => void)[] = [];

  get congested(): boolean {
    return this.#congested;
  }

  /** How many wait for the socket to drain. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Every frame that was written. */
  get frames(): Frame[] {
    return this.written.map(({ frame }) => frame);
  }

  write(bytes: Uint8Array): void {
    assertEquals(this.closed, undefined, "nothing is written after the close");
    this.writes++;
    for (const payload of textMessages(bytes)) {
      const message = v.parse(ServerMessageSchema, JSON.parse(payload));
      const batched = message.type === "batch";
      for (const frame of batched ? message.data.frames : [message]) {
        const whole = this.#fold.whole(frame);
        assert(whole !== undefined, `${frame.id} goes on from what was never told`);
        // What is folded is of the same type.
        const written = { frame: whole as Frame, index: this.written.length, batched };
        this.written.push(written);
        this.onWritten(written);
      }
    }
    if (this.slow) this.#congested = true;
  }

  onceDrained(run: () => void): void {
    if (this.#congested) this.#waiting.push(run);
    else run();
  }

  setReading(reading: boolean): void {
    this.reading = reading;
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }

  /** The peer does not take what was written. */
  congest(): void {
    this.#congested = true;
  }

  /** What was written has gone out. */
  drain(): void {
    this.#congested = false;
    for (const run of this.#waiting.splice(0)) run();
  }
}

/** The payloads of `bytes`, which must be whole, final, unmasked text messages with the shortest possible header. */
export function textMessages(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    assertEquals(view.getUint8(at), 0x81, "one whole text message");
    const short = view.getUint8(at + 1);
    assert(short < 128, "a server masks nothing");
    const [length, header] = short < 126
      ? [short, 2]
      : short === 126
      ? [view.getUint16(at + 2), 4]
      : [Number(view.getBigUint64(at + 2)), 10];
    assert(header !== 4 || length >= 126, "the shortest header");
    assert(header !== 10 || length >= 65_536, "the shortest header");
    assert(at + header + length <= bytes.length, "a message is written whole");
    texts.push(decoder.decode(bytes.subarray(at + header, at + header + length)));
    at += header + length;
  }
  return texts;
}
