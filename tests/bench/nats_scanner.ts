import type { TakePayload } from "./frame_scanner.ts";

const CARRIAGE_RETURN = 13;
const LINE_END_BYTES = 2;
const decoder = new TextDecoder();

/** Understands what a NATS server says, as far as somebody needs who only subscribes: messages and pings. */
export class NatsScanner {
  /** Messages that came, whole ones only. */
  messages = 0;
  /** Pings that nobody has answered yet. */
  pings = 0;
  /** Errors that the server named. */
  readonly errors: string[] = [];
  readonly #take: TakePayload | undefined;
  #rest = new Uint8Array();

  constructor(take?: TakePayload) {
    this.#take = take;
  }

  /** Takes in a part of the stream, however it is cut. */
  feed(bytes: Uint8Array, start: number, end: number): void {
    if (this.#rest.length === 0) {
      const at = this.#lines(bytes, start, end);
      if (at < end) this.#rest = bytes.slice(at, end);
      return;
    }
    const joined = new Uint8Array(this.#rest.length + end - start);
    joined.set(this.#rest);
    joined.set(bytes.subarray(start, end), this.#rest.length);
    this.#rest = joined.slice(this.#lines(joined, 0, joined.length));
  }

  /** Understands all that is whole; returns where the rest begins. */
  #lines(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start;;) {
      const lineEnd = bytes.indexOf(CARRIAGE_RETURN, at);
      if (lineEnd < 0 || lineEnd + LINE_END_BYTES > end) return at;
      const line = decoder.decode(bytes.subarray(at, lineEnd));
      const after = lineEnd + LINE_END_BYTES;
      const size = sizeIn(line);
      if (size === undefined) {
        if (line === "PING") this.pings++;
        if (line.startsWith("-ERR")) this.errors.push(line);
        at = after;
        continue;
      }
      if (after + size.total + LINE_END_BYTES > end) return at;
      // A message of headers alone is the server's own word, such as a consumer's heartbeat.
      if (size.total > size.headers) {
        this.messages++;
        this.#take?.(bytes, after + size.headers, after + size.total);
      }
      at = after + size.total + LINE_END_BYTES;
    }
  }
}

/** How long the message is that a `MSG` or `HMSG` line announces; undefined for other lines. */
function sizeIn(line: string): { readonly headers: number; readonly total: number } | undefined {
  const words = line.split(" ");
  if (words[0] === "MSG") return { headers: 0, total: Number(words.at(-1)) };
  if (words[0] === "HMSG") return { headers: Number(words.at(-2)), total: Number(words.at(-1)) };
  return undefined;
}
