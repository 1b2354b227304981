import * as v from "valibot";
import { ServerMessageSchema } from "../../src/protocol/server_schemas.ts";

/** A frame as it came: its opcode, its three reserved bits and its payload. */
export type RawFrame = { readonly opcode: number; readonly reserved: number; readonly payload: Uint8Array };

/** What a frame's header says; what is left out is as a well-behaved client has it. */
export type Header = {
  readonly opcode: number;
  /** The length that is announced, in bytes, whatever follows. */
  readonly length: number;
  readonly final?: boolean;
  readonly masked?: boolean;
  /** The three reserved bits. */
  readonly reserved?: number;
};

const MASK = [0x12, 0x34, 0x56, 0x78] as const;
const encoder = new TextEncoder();

const DEADLINE_MS = 10_000;

/** Opcodes of RFC 6455 §5.2. */
export const OPCODES = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The bytes of a frame's header, its mask included. */
export function header({ opcode, length, final = true, masked = true, reserved = 0 }: Header): Uint8Array {
  const bytes = new Uint8Array(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  const view = new DataView(bytes.buffer);
  bytes[0] = (final ? 0x80 : 0) | reserved << 4 | opcode;
  bytes[1] = (masked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (bytes.length === 4) view.setUint16(2, length);
  if (bytes.length === 10) view.setBigUint64(2, BigInt(length));
  return masked ? new Uint8Array([...bytes, ...MASK]) : bytes;
}

/** A whole frame. */
export function frame(payload: Uint8Array | string, about: Partial<Header> = {}): Uint8Array {
  const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
  const head = header({ opcode: OPCODES.text, length: bytes.length, ...about });
  const out = new Uint8Array(head.length + bytes.length);
  out.set(head);
  out.set(about.masked === false ? bytes : bytes.map((byte, i) => byte ^ (MASK[i % 4] ?? 0)), head.length);
  return out;
}

/** A peer that speaks HTTP and WebSocket byte by byte, so that it can break every rule, or say nothing at all. */
export class RawPeer implements Disposable {
  readonly connection: Deno.TcpConn;
  /** Bytes that came and were not looked at yet. */
  #buffer = new Uint8Array();
  /** Whether it waited in vain and has hung up. */
  #isLate = false;
  /** The head of the HTTP answer to its upgrade. */
  answer = "";

  private constructor(connection: Deno.TcpConn) {
    this.connection = connection;
  }

  /** Asks for an upgrade and reads the head of the answer, whatever it is. */
  static async ask(
    port: number,
    target = "/ws",
    headers: readonly (readonly [name: string, value: string])[] = [],
  ): Promise<RawPeer> {
    const peer = new RawPeer(await Deno.connect({ hostname: "127.0.0.1", port }));
    const lines = [
      `GET ${target} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${btoa("a nonce of 16 by")}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
    ];
    await peer.send(encoder.encode(`${lines.join("\r\n")}\r\n\r\n`));
    await peer.#readHead();
    return peer;
  }

  /** Upgrades, and reads nothing of what follows. Rejects when the answer is not 101. */
  static async connect(...asked: Parameters<typeof RawPeer.ask>): Promise<RawPeer> {
    const peer = await RawPeer.ask(...asked);
    if (peer.status === 101) return peer;
    peer.connection.close();
    throw new Error(`The upgrade was answered with ${peer.answer}`);
  }

  /** The status of the HTTP answer. */
  get status(): number {
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.answer)?.[1]);
  }

  /** A header of the HTTP answer. */
  header(name: string): string | undefined {
    return new RegExp(`^${name}: (.*)$`, "im").exec(this.answer)?.[1]?.trim();
  }

  /** Sends bytes as they are; resolves when the kernel has taken them. */
  async send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.connection.write(bytes.subarray(at));
  }

  /** The next frame; undefined when the connection has ended. */
  async next(): Promise<RawFrame | undefined> {
    for (;;) {
      const frame = this.#frame();
      if (frame !== undefined) return frame;
      if (!await this.#read()) return undefined;
    }
  }

  /** All that still comes up to the end of the connection, as text. */
  async rest(): Promise<string> {
    while (await this.#read());
    return new TextDecoder().decode(this.#buffer);
  }

  /** Reads up to the close frame and returns its code and the messages before it. Rejects when none comes. */
  async untilClosed(): Promise<{ readonly code: number; readonly messages: readonly ServerMessage[] }> {
    const messages: ServerMessage[] = [];
    for (let frame = await this.next(); frame !== undefined; frame = await this.next()) {
      const { opcode, payload } = frame;
      if (opcode === OPCODES.close) return { code: new DataView(payload.buffer).getUint16(0), messages };
      if (opcode === OPCODES.text) messages.push(parsed(payload));
    }
    throw new Error(`It ended without a close frame; before: ${JSON.stringify(messages)}`);
  }

  /** Answers the other side's close and waits for the end of the connection. */
  async end(): Promise<void> {
    await this.send(frame(new Uint8Array(), { opcode: OPCODES.close })).catch(() => {});
    while (await this.next() !== undefined);
  }

  [Symbol.dispose](): void {
    if (!this.#isLate) this.connection.close();
  }

  /** Reads some more; false when the connection has ended, by a reset too. Rejects when nothing comes for long. */
  async #read(): Promise<boolean> {
    const chunk = new Uint8Array(65_536);
    const deadline = setTimeout(() => {
      this.#isLate = true;
      this.connection.close();
    }, DEADLINE_MS);
    const read = await this.connection.read(chunk).catch(() => null);
    clearTimeout(deadline);
    if (this.#isLate) throw new Error(`Nothing came within ${DEADLINE_MS} ms`);
    if (read === null) return false;
    const joined = new Uint8Array(this.#buffer.length + read);
    joined.set(this.#buffer);
    joined.set(chunk.subarray(0, read), this.#buffer.length);
    this.#buffer = joined;
    return true;
  }

  async #readHead(): Promise<void> {
    for (;;) {
      const end = new TextDecoder("latin1").decode(this.#buffer).indexOf("\r\n\r\n");
      if (end >= 0) {
        this.answer = new TextDecoder().decode(this.#buffer.subarray(0, end));
        this.#buffer = this.#buffer.slice(end + 4);
        return;
      }
      if (!await this.#read()) return;
    }
  }

  #frame(): RawFrame | undefined {
    const buffer = this.#buffer;
    const [first, second] = buffer;
    if (first === undefined || second === undefined) return undefined;
    const view = new DataView(buffer.buffer, buffer.byteOffset);
    const start = second < 126 ? 2 : second === 126 ? 4 : 10;
    if (buffer.length < start) return undefined;
    const length = second < 126 ? second : second === 126 ? view.getUint16(2) : Number(view.getBigUint64(2));
    if (buffer.length < start + length) return undefined;
    this.#buffer = buffer.subarray(start + length);
    const about = { opcode: first & 0x0f, reserved: first >> 4 & 0b111 };
    return { ...about, payload: buffer.slice(start, start + length) };
  }
}

type ServerMessage = v.InferOutput<typeof ServerMessageSchema>;

function parsed(payload: Uint8Array): ServerMessage {
  return v.parse(ServerMessageSchema, JSON.parse(new TextDecoder().decode(payload)));
}
