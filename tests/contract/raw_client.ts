import { decode, encode } from "cborg";
import { WebSocket } from "ws";
import { eventually } from "../eventually.ts";
import { isObject } from "./arbitrary_json.ts";
import type { Json } from "./judges.ts";

/** A client that knows nothing of the protocol but that messages are JSON, or CBOR, and that replies have the id of their request. */
export class RawClient implements AsyncDisposable {
  readonly #ws: WebSocket;
  readonly #closed: Promise<void>;
  readonly #waiting = new Map<string, (frame: Json) => void>();
  #asked = 0;
  /** Every message as it came. */
  readonly messages: Json[] = [];

  private constructor(ws: WebSocket) {
    this.#ws = ws;
    // As `ws` hands it out, where it is not told otherwise.
    ws.on(
      "message",
      (data, isBinary) => this.#received(isBinary ? decode(data as Uint8Array) : JSON.parse(String(data))),
    );
    ws.on("error", () => {}); // the close event follows
    this.#closed = new Promise((resolve) => ws.once("close", () => resolve()));
  }

  /** Connects; resolves when there is a message. */
  static async connect(url: string, protocols: readonly string[] = []): Promise<RawClient> {
    const client = new RawClient(new WebSocket(url, [...protocols]));
    await eventually("the first message comes", () => client.messages.length > 0);
    return client;
  }

  /** The types of what has come, those within batches too. */
  get types(): ReadonlySet<string> {
    return new Set(this.messages.flatMap((message) => [message, ...framesIn(message)]).map(typeOf));
  }

  /** Sends a frame of this type under an id of its own; resolves with what answers it. */
  async ask(type: string, data: unknown): Promise<Json> {
    const id = `ask_${++this.#asked}`;
    const answered = new Promise<Json>((resolve) => this.#waiting.set(id, resolve));
    const frame = { type, id, data };
    this.#ws.send(this.#ws.protocol.endsWith("cbor") ? encode(frame) : JSON.stringify(frame));
    const gone = this.#closed.then(() => {
      throw new Error(`The connection has ended before ${type} was answered`);
    });
    return await Promise.race([answered, gone]);
  }

  #received(message: Json): void {
    this.messages.push(message);
    for (const frame of [message, ...framesIn(message)]) {
      const id = String(frame["id"]);
      this.#waiting.get(id)?.(frame);
      this.#waiting.delete(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ws.terminate();
    await this.#closed;
  }
}

/** The frames of a batch; none where it is another frame. */
function framesIn({ type, data }: Json): readonly Json[] {
  const frames = type === "batch" && isObject(data) ? data["frames"] : undefined;
  return Array.isArray(frames) ? frames : [];
}

/** The type of a frame. */
export function typeOf({ type }: Json): string {
  return String(type);
}

/** The code of an error frame; undefined of any other. */
export function codeOf({ error }: Json): unknown {
  return isObject(error) ? error["code"] : undefined;
}
