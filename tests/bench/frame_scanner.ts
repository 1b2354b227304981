/** Takes the whole payload of a message: `bytes` from `start` to `end`, valid during the call only. */
export type TakePayload = (bytes: Uint8Array, start: number, end: number) => void;

const MOST_HEADER = 10;
const PING = 9;
/** The first reserved bit. */
const COMPRESSED = 0x40;

/**
 * Counts the WebSocket frames of a server by their headers (RFC 6455 §5.2), however the bytes are cut. Payloads are
 * stepped over unseen, unless somebody takes them.
 */
export class FrameScanner {
  /** Frames that carry data, whole ones only. */
  frames = 0;
  /** Pings that nobody has answered yet. */
  pings = 0;
  /** The payload of the latest data frame, in bytes. */
  latestBytes = 0;
  /** Whether that is compressed (RFC 7692 §7.2.3.1). */
  isCompressed = false;
  readonly #take: TakePayload | undefined;
  readonly #header = new Uint8Array(MOST_HEADER);
  #headerBytes = 0;
  #left = 0;
  #isData = false;
  #parts: Uint8Array[] = [];

  constructor(take?: TakePayload) {
    this.#take = take;
  }

  /** Takes in what came, from `at` to `end`. */
  feed(bytes: Uint8Array, at: number, end: number): void {
    while (at < end) {
      if (this.#left > 0) {
        at = this.#payload(bytes, at, end);
        continue;
      }
      this.#header[this.#headerBytes++] = bytes[at++] ?? 0;
      const length = this.#headerBytes < 2 ? undefined : lengthIn(this.#header, this.#headerBytes);
      if (length === undefined) continue;
      this.#headerBytes = 0;
      const opcode = (this.#header[0] ?? 0) & 15;
      this.#isData = opcode < 3;
      if (opcode === PING) this.pings++;
      if (this.#isData) {
        this.latestBytes = length;
        this.isCompressed = ((this.#header[0] ?? 0) & COMPRESSED) !== 0;
      }
      this.#left = length;
      if (length === 0 && this.#isData) this.frames++;
    }
  }

  #payload(bytes: Uint8Array, at: number, end: number): number {
    const stop = Math.min(end, at + this.#left);
    const whole = stop - at === this.#left;
    this.#left -= stop - at;
    if (whole && this.#isData) this.frames++;
    if (this.#take !== undefined && this.#isData) this.#hand(this.#take, bytes, at, stop, whole);
    return stop;
  }

  #hand(take: TakePayload, bytes: Uint8Array, start: number, end: number, whole: boolean): void {
    if (whole && this.#parts.length === 0) return take(bytes, start, end);
    this.#parts.push(bytes.slice(start, end));
    if (!whole) return;
    const joined = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    take(joined, 0, joined.length);
  }
}

/** The payload's length that a header names; undefined while the header is not whole. */
function lengthIn(header: Uint8Array, bytes: number): number | undefined {
  const short = (header[1] ?? 0) & 127;
  if (short < 126) return short;
  const more = short === 126 ? 2 : 8;
  if (bytes < 2 + more) return undefined;
  let length = 0;
  for (let i = 0; i < more; i++) length = length * 256 + (header[2 + i] ?? 0);
  return length;
}

/** A client's text message, as sent: masked with zeros, which leaves it readable. */
export function clientText(text: string): Uint8Array<ArrayBuffer> {
  return clientFrame(1, new TextEncoder().encode(text));
}

/** A client's binary message. */
export function clientBinary(text: string): Uint8Array<ArrayBuffer> {
  return clientFrame(2, new TextEncoder().encode(text));
}

/** The answer to a ping without a payload. */
export const PONG: Uint8Array<ArrayBuffer> = clientFrame(10, new Uint8Array());

function clientFrame(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = payload.length;
  if (length > 65_535) throw new RangeError(`A client's message is at most 65535 bytes: this has ${length}`);
  const head = length < 126
    ? [0x80 | opcode, 0x80 | length]
    : [0x80 | opcode, 0xfe, length >> 8, length & 255];
  const frame = new Uint8Array(head.length + 4 + length);
  frame.set(head);
  frame.set(payload, head.length + 4);
  return frame;
}
