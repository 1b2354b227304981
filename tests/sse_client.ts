import * as v from "valibot";
import { ServerFrameSchema } from "../src/protocol/server_schemas.ts";
import type { Frame, FrameOf, FrameType } from "./websocket_client.ts";
import { eventually } from "./eventually.ts";

/** An event of a stream: a frame, and the id that came with it. */
export type Told = { readonly frame: Frame; readonly id: string | undefined };

/** A stream that was refused. */
export class StreamRefused extends Error {
  override name = "StreamRefused";
  readonly status: number;
  readonly headers: Headers;
  readonly problem: unknown;

  constructor(response: Response, body: string) {
    super(`The stream was answered with ${response.status}: ${body}`);
    this.status = response.status;
    this.headers = response.headers;
    this.problem = JSON.parse(body);
  }
}

const Close = v.strictObject({ code: v.number(), reason: v.string() });

/** Reads a stream as the standard has it, keeps everything in order, and holds each event to the schema of the protocol. */
export class SseClient implements AsyncDisposable {
  readonly events: Told[] = [];
  /** What a browser would send as `Last-Event-ID`. */
  lastEventId: string | undefined;
  retryMs: number | undefined;
  comments = 0;
  /** The code that the gateway said at the end; undefined before, and where it was lost without a word. */
  code: number | undefined;
  /** Whether it has ended, in whatever way. */
  isOver = false;
  readonly headers: Headers;
  readonly #abort: AbortController;
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #read: Promise<void>;
  #paused: PromiseWithResolvers<void> | undefined;
  #broken: unknown;

  private constructor(response: Response, body: ReadableStream<string>, abort: AbortController) {
    this.headers = response.headers;
    this.#abort = abort;
    this.#reader = body.getReader();
    this.#read = this.#pump();
  }

  /** Rejects with {@link StreamRefused} where there is none, and as `fetch` does where nobody answers. */
  static async connect(url: string, headers: Readonly<Record<string, string>> = {}): Promise<SseClient> {
    const abort = new AbortController();
    const response = await fetch(url, { headers: { ...headers }, signal: abort.signal });
    if (response.status !== 200 || response.body === null) {
      throw new StreamRefused(response, await response.text());
    }
    return new SseClient(response, response.body.pipeThrough(new TextDecoderStream()), abort);
  }

  get frames(): Frame[] {
    return this.events.map(({ frame }) => frame);
  }

  /** The frames of one type that have come. */
  of<T extends FrameType>(type: T): FrameOf<T>[] {
    return this.frames.filter((frame): frame is FrameOf<T> => frame.type === type);
  }

  /** Waits until `holds`. Rejects when it does not in time, or what came is none of the protocol's. */
  async until(what: string, holds: () => boolean, withinMs?: number): Promise<void> {
    await eventually(what, () => {
      if (this.#broken !== undefined) throw this.#broken;
      return holds();
    }, withinMs);
  }

  async caughtUp(): Promise<void> {
    await this.until("it has caught up", () => this.of("caught_up").length > 0);
  }

  /** Reads no more, so that the socket fills. */
  pause(): void {
    this.#paused ??= Promise.withResolvers();
  }

  /** Goes on reading. */
  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  /** Leaves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    this.#abort.abort();
    await this.#reader.cancel().catch(() => {}); // an abort alone may leave a read pending
    await this.#read;
  }

  async #pump(): Promise<void> {
    let text = "";
    try {
      for (;;) {
        await this.#paused?.promise;
        const { done, value = "" } = await this.#reader.read();
        if (done) break;
        const blocks = (text + value).split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) this.#block(block);
      }
    } catch {
      // It was lost, or left: that is an end too.
    }
    this.isOver = true;
  }

  #block(block: string): void {
    try {
      const fields = new Map(
        block.split("\n").map((line) => {
          const colon = line.indexOf(":");
          return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")] as const;
        }),
      );
      if (fields.has("")) this.comments++;
      if (fields.has("retry")) this.retryMs = Number(fields.get("retry"));
      const data = fields.get("data");
      if (data === undefined) return;
      if (fields.get("event") === "close") this.code = v.parse(Close, JSON.parse(data)).code;
      else this.#frame(fields.get("event"), fields.get("id"), v.parse(ServerFrameSchema, JSON.parse(data)));
    } catch (cause) {
      this.#broken ??= new Error(`No event of the protocol: ${block.slice(0, 500)}`, { cause });
    }
  }

  #frame(event: string | undefined, id: string | undefined, frame: Frame): void {
    if (event !== frame.type) throw new TypeError(`event: ${event} of a ${frame.type}`);
    this.events.push({ frame, id });
    if (id !== undefined) this.lastEventId = id;
  }
}
