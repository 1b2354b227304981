import { decode, encode } from "cborg";
import { type ClientOptions, WebSocket } from "ws";
import * as v from "valibot";
import { type ServerFrameSchema, ServerMessageSchema } from "../src/protocol/server_schemas.ts";

/** A frame as a client receives it. */
export type Frame = v.InferOutput<typeof ServerFrameSchema>;
/** The type of a frame. */
export type FrameType = Frame["type"];
/** A frame of one type. */
export type FrameOf<T extends FrameType> = Extract<Frame, { type: T }>;

/** How a connection ended. */
export type Closed = { readonly code: number; readonly reason: string };

/** How to connect. */
export type ConnectOptions = {
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly origin?: string;
  /** Whether compression is offered, and all that is sent is compressed where the other side agrees. */
  readonly compress?: boolean;
  /** Certificates of authorities that are believed, in PEM; without any, those of the system. */
  readonly ca?: readonly string[];
};

/** An upgrade that was answered over HTTP. */
export class UpgradeRefused extends Error {
  override name = "UpgradeRefused";
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`The upgrade was answered with ${status}: ${body}`);
    this.status = status;
    this.body = body;
  }
}

/** Looks for what is waited for; true when it was found or cannot come any more. */
type Waiting = () => boolean;

const DEADLINE_MS = 10_000;

/**
 * A client that cannot miss a frame: it listens before the handshake is answered, keeps everything in order, and whoever
 * waits for a frame is answered from what has come already. Every message is held to the schema of the protocol.
 */
export class TestClient implements AsyncDisposable {
  readonly #ws: WebSocket;
  readonly #waiting = new Set<Waiting>();
  readonly #taken = new Set<Frame>();
  #requests = 0;
  #closed: Closed | undefined;
  #broken: Error | undefined;
  /** Every frame in the order it came, those within `batch` frames as if each had come by itself. */
  readonly frames: Frame[] = [];
  /** How many messages came, and how many of them were `batch` frames, and binary. */
  readonly counts: { messages: number; batches: number; binary: number } = {
    messages: 0,
    batches: 0,
    binary: 0,
  };
  /** Resolves when the connection has ended. */
  readonly closed: Promise<Closed>;

  private constructor(ws: WebSocket) {
    this.#ws = ws;
    ws.on("message", (data, isBinary) => {
      // As `ws` hands it out, where it is not told otherwise.
      this.#received(isBinary ? JSON.stringify(decode(data as Uint8Array)) : String(data));
      if (isBinary) this.counts.binary++;
    });
    ws.on("error", () => {}); // the close event follows
    this.closed = new Promise((resolve) => {
      ws.once("close", (code, reason) => {
        this.#closed = { code, reason: String(reason) };
        resolve(this.#closed);
        this.#look();
      });
    });
  }

  /** Connects; rejects with {@link UpgradeRefused} where the upgrade is answered over HTTP. */
  static async connect(url: string, options: ConnectOptions = {}): Promise<TestClient> {
    const { protocols = [], headers, origin, compress = false, ca } = options;
    const ask: ClientOptions = {
      perMessageDeflate: compress && { threshold: 0 },
      ...(headers === undefined ? {} : { headers: { ...headers } }),
      ...(origin === undefined ? {} : { origin }),
      ...(ca === undefined ? {} : { ca: [...ca] }),
    };
    const ws = new WebSocket(url, [...protocols], ask);
    const client = new TestClient(ws);
    await new Promise<void>((resolve, reject) => {
      ws.once("open", resolve);
      ws.once("error", reject);
      ws.once("unexpected-response", (_request, response) => {
        let body = "";
        response.on("data", (part) => body += String(part));
        response.on("end", () => reject(new UpgradeRefused(response.statusCode ?? 0, body)));
      });
    });
    return client;
  }

  /** The sub-protocol that was agreed on; empty where none was. */
  get protocol(): string {
    return this.#ws.protocol;
  }

  /** Whether compression was agreed on. */
  get isCompressed(): boolean {
    return this.#ws.extensions !== "";
  }

  /** Whether the connection has ended. */
  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Sends text as it is, bytes as a binary message, and anything else as JSON, or as CBOR where that was agreed on. */
  send(message: unknown): void {
    const raw = typeof message === "string" || message instanceof Uint8Array;
    const pack = this.protocol === "taskwire.v1.cbor" ? encode : JSON.stringify;
    this.#ws.send(raw ? message : pack(message));
  }

  /** Sends a request of its own id and returns the frame that answers it, an `error` too. */
  async request(type: string, data: unknown = {}): Promise<Frame> {
    const id = `request_${++this.#requests}`;
    this.send({ type, id, timestamp: Date.now(), data });
    return await this.find((frame) => frame.id === id, `the answer to ${type}`);
  }

  /** The first frame of this type that nobody has taken yet, now or as soon as it comes. */
  async next<T extends FrameType>(type: T): Promise<FrameOf<T>> {
    const isIt = (frame: Frame): frame is FrameOf<T> => frame.type === type;
    const frame = await this.#wait(() => this.frames.find((one) => isIt(one) && !this.#taken.has(one)), type);
    if (!isIt(frame)) throw new TypeError(`Expected ${type}, got ${frame.type}`);
    this.#taken.add(frame);
    return frame;
  }

  /** The first frame that fits, whether taken or not, now or as soon as it comes. */
  async find(fits: (frame: Frame) => boolean, what = "a frame"): Promise<Frame> {
    return await this.#wait(() => this.frames.find(fits), what);
  }

  /** Resolves once `holds` does, which is asked after every message. */
  async until(holds: (frames: readonly Frame[]) => boolean, what = "the condition"): Promise<void> {
    await this.#wait(() => holds(this.frames) ? true : undefined, what);
  }

  /** The frames of one type that have come. */
  of<T extends FrameType>(type: T): FrameOf<T>[] {
    return this.frames.filter((frame): frame is FrameOf<T> => frame.type === type);
  }

  /** Stops reading from the socket, so that it fills. */
  pause(): void {
    this.#ws.pause();
  }

  /** Goes on reading. */
  resume(): void {
    this.#ws.resume();
  }

  /** How the connection ends, which it does by itself. Rejects when it does not. */
  async ended(): Promise<Closed> {
    return await this.#wait(() => this.#closed, "end of the connection");
  }

  /** Closes and waits for the end. */
  async close(code = 1000): Promise<Closed> {
    this.#ws.close(code);
    return await this.closed;
  }

  /** Ends the TCP connection without a word, as a crash does. */
  async crash(): Promise<void> {
    this.#ws.terminate();
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
  }

  #received(text: string): void {
    try {
      const message = v.parse(ServerMessageSchema, JSON.parse(text));
      this.counts.messages++;
      if (message.type === "batch") {
        this.counts.batches++;
        this.frames.push(...message.data.frames);
      } else {
        this.frames.push(message);
      }
    } catch (cause) {
      this.#broken ??= new Error(`Not a message of the protocol: ${text.slice(0, 500)}`, { cause });
    }
    this.#look();
  }

  #look(): void {
    for (const waiting of [...this.#waiting]) if (waiting()) this.#waiting.delete(waiting);
  }

  #wait<R>(look: () => R | undefined, what: string): Promise<R> {
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const waiting: Waiting = () => {
      const found = this.#broken ?? look() ?? this.#ended(what);
      if (found === undefined) return false;
      clearTimeout(deadline);
      if (found instanceof Error) reject(found);
      else resolve(found);
      return true;
    };
    const deadline = setTimeout(() => {
      this.#waiting.delete(waiting);
      const seen = this.frames.slice(-8).map(({ type, id }) => `${type} ${id}`).join(", ");
      reject(new Error(`No ${what} within ${DEADLINE_MS} ms; the last were: ${seen}`));
    }, DEADLINE_MS);
    if (!waiting()) this.#waiting.add(waiting);
    return promise;
  }

  #ended(what: string): Error | undefined {
    if (this.#closed === undefined) return undefined;
    return new Error(`No ${what}; closed with ${this.#closed.code} ${this.#closed.reason}`);
  }
}
