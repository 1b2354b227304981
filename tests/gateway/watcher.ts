import * as v from "valibot";
import { ServerFrameSchema } from "../../src/protocol/server_schemas.ts";
import type { Frame, FrameOf, FrameType } from "../websocket_client.ts";
import { eventually } from "../eventually.ts";

/** A task's counters as they were told. */
export type Progress = FrameOf<"task_progress">["data"]["progress"];

/** A position, and the life of the stream it is a position in. */
export type Cursor = { readonly epoch: string; readonly seq: number };

/** A status change as it was told. */
export type Told = { readonly seq: number; readonly taskId: string; readonly status: string };

/** How to watch. */
export type WatcherOptions = {
  /** `ws://host:port`. */
  readonly url: string;
  readonly topics?: readonly string[];
  /** Where to go on from. */
  readonly since?: Cursor;
  /** What to begin with. Default: the present state. */
  readonly replay?: "all";
  /** Comes back by itself, where it was. Default: false. */
  readonly returns?: boolean;
  /** How often it asks for its position while nothing comes, ms. Default: never. */
  readonly pingMs?: number;
};

type TaskFrame = FrameOf<"task_status"> | FrameOf<"task_progress">;

const BACKOFF_MS = { first: 50, longest: 500 };

/**
 * A client as the protocol document has it: it keeps what tasks it was told of, takes its cursor from the last `seq`
 * once it has caught up, and comes back there. What a replay brings counts only when the replay is over.
 */
export class Watcher implements AsyncDisposable {
  /** Every frame of every connection, in order. */
  readonly frames: Frame[] = [];
  /** The codes with which connections ended. */
  readonly closes: number[] = [];
  /** Every status change that it was told, since the last gap. */
  statuses: Told[] = [];
  /** The newest progress of each task. */
  readonly progress = new Map<string, Progress>();
  cursor: Cursor | undefined;
  readonly #options: WatcherOptions;
  #socket: WebSocket | undefined;
  readonly #asked = new Set<string>();
  #held: TaskFrame[] = [];
  #replaying = true;
  #epoch = "";
  #failures = 0;
  #closing = false;
  #broken: Error | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.cursor = options.since;
    this.#connect();
    if (options.pingMs !== undefined) this.#ping = setInterval(() => this.#pingIfOpen(), options.pingMs);
  }

  /** Connects and waits until it has caught up. */
  static async start(options: WatcherOptions): Promise<Watcher> {
    const watcher = new Watcher(options);
    try {
      await watcher.until("it has caught up", () => watcher.caughtUp);
    } catch (error) {
      await watcher[Symbol.asyncDispose]();
      throw error;
    }
    return watcher;
  }

  /** Whether what follows is live. */
  get caughtUp(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN && !this.#replaying;
  }

  /** The frames of one type. */
  of<T extends FrameType>(type: T): FrameOf<T>[] {
    return this.frames.filter((frame): frame is FrameOf<T> => frame.type === type);
  }

  /** Waits until `holds`. Rejects when it does not in time, or something came that is no frame. */
  async until(what: string, holds: () => boolean, withinMs?: number): Promise<void> {
    await eventually(what, () => {
      if (this.#broken !== undefined) throw this.#broken;
      return holds();
    }, withinMs);
  }

  /** Sends a request and waits for what has its id. */
  async ask(type: string, data: Readonly<Record<string, unknown>> = {}): Promise<Frame> {
    const id = `${type}-${crypto.randomUUID()}`;
    this.#asked.add(id);
    this.#socket?.send(JSON.stringify({ type, id, timestamp: Date.now(), data }));
    const reply = () => this.frames.find((frame) => frame.id === id);
    await this.until(`an answer to ${type} comes`, () => reply() !== undefined);
    return reply() ?? fail("an answer that came is there");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#retry);
    clearInterval(this.#ping);
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
    if (socket.readyState === WebSocket.OPEN) socket.close(1000);
    else socket.addEventListener("open", () => socket.close(1000));
    await closed;
  }

  #connect(): void {
    const { url, topics = ["task:progress", "task:status"], replay } = this.#options;
    const query = new URLSearchParams({ topics: topics.join(",") });
    if (this.cursor !== undefined) query.set("since", `${this.cursor.epoch}:${this.cursor.seq}`);
    if (replay !== undefined) query.set("replay", replay);
    const socket = new WebSocket(`${url}/ws?${query}`);
    this.#socket = socket;
    this.#held = [];
    this.#replaying = true;
    socket.onmessage = ({ data }) => this.#message(data);
    socket.onclose = ({ code }) => this.#closed(code);
    socket.onerror = (event) => event.preventDefault(); // the close event follows
  }

  #closed(code: number): void {
    this.closes.push(code);
    if (this.#closing || this.#options.returns !== true) return;
    const waitMs = Math.min(BACKOFF_MS.first * 2 ** this.#failures++, BACKOFF_MS.longest);
    this.#retry = setTimeout(() => this.#connect(), waitMs);
  }

  #pingIfOpen(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ type: "ping", id: `ping-${crypto.randomUUID()}`, data: {} }));
  }

  #message(text: string): void {
    try {
      this.#received(v.parse(ServerFrameSchema, JSON.parse(text)));
    } catch (cause) {
      this.#broken ??= new Error(`Not a frame of the protocol: ${text.slice(0, 500)}`, { cause });
    }
  }

  #received(frame: Frame): void {
    this.frames.push(frame);
    if (this.#asked.has(frame.id)) return; // a reply says how a task is, and not that this is where we are
    switch (frame.type) {
      case "welcome":
        this.#epoch = frame.data.epoch;
        this.#failures = 0;
        break;
      case "gap":
        this.#epoch = frame.data.epoch;
        this.#held = [];
        this.#replaying = true;
        this.statuses = [];
        this.progress.clear();
        break;
      case "caught_up":
        for (const held of this.#held) this.#keep(held);
        this.#held = [];
        this.#replaying = false;
        this.#moveTo(frame.data.seq);
        break;
      case "pong":
        if (!this.#replaying) this.#moveTo(frame.data.seq);
        break;
      case "task_status":
      case "task_progress":
        if (this.#replaying) {
          this.#held.push(frame);
        } else {
          this.#keep(frame);
          this.#moveTo(frame.seq);
        }
    }
  }

  #moveTo(seq: number | undefined): void {
    if (seq !== undefined) this.cursor = { epoch: this.#epoch, seq };
  }

  #keep(frame: TaskFrame): void {
    const { task_id: taskId } = frame.data;
    if (frame.type === "task_progress") this.progress.set(taskId, frame.data.progress);
    else this.statuses.push({ seq: frame.seq ?? NaN, taskId, status: frame.data.status });
  }
}

function fail(message: string): never {
  throw new Error(message);
}
