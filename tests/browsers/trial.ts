import type { Client, ClientError, ClientOptions, connect, PushedFrame } from "../../src/client/client.ts";
import type { WebSocketClass } from "../../src/client/socket.ts";

/** An event as a worker writes it: the task, the kind, and the body. */
export type Event = readonly [taskId: string, kind: string, body?: Readonly<Record<string, unknown>>];

/** What checks run with, wherever they run. */
export type Surroundings = {
  /** Of the bundle that the gateway serves. */
  readonly connect: typeof connect;
  /** `http://host:port` of the gateway, and of who publishes events and kills gateways when asked to. */
  readonly gateway: string;
  readonly host: string;
  readonly WebSocket: WebSocketClass;
};

/** A frame that a client sent. */
export type Sent = { readonly type: string; readonly data: Readonly<Record<string, unknown>> };

/** What one check works with: clients that end with it, and a hand on the world around them. */
export class Trial {
  readonly #surroundings: Surroundings;
  readonly #clients: Client[] = [];

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** A client that comes back soon, and what it sent, frame by frame. */
  connect(options: ClientOptions = {}): { readonly client: Client; readonly sent: readonly Sent[] } {
    const { gateway, WebSocket } = this.#surroundings;
    const sent: Sent[] = [];
    const recording = recorded(WebSocket, (frame) => sent.push(frame));
    const client = this.#surroundings.connect(gateway, {
      WebSocket: recording,
      firstWaitMs: 50,
      longestWaitMs: 500,
      ...options,
    });
    this.#clients.push(client);
    return { client, sent };
  }

  /** Writes events to the log, in order, whether or not a gateway is there. */
  async publish(...events: readonly Event[]): Promise<void> {
    await this.#ask("/publish", events);
  }

  /** Publishes, and waits until the gateway knows: `kinds` are then in its history of the task. */
  async published(
    client: Client,
    taskId: string,
    ...events: readonly (readonly [string, object?])[]
  ): Promise<void> {
    for (const [kind, body = {}] of events) await this.publish([taskId, kind, { ...body }]);
    await until(`the gateway knows ${taskId}`, async () => {
      const history = await client.getHistory(taskId).catch(() => undefined);
      return history?.events.at(-1)?.kind === events.at(-1)?.[0];
    });
  }

  /** `kill -9` of the gateway; it is gone then. */
  async killGateway(): Promise<void> {
    await this.#ask("/kill");
  }

  /** SIGTERM: it says goodbye to its clients, and is gone then. */
  async stopGateway(): Promise<void> {
    await this.#ask("/stop");
  }

  /** Starts it again where it was; it is ready then. */
  async startGateway(): Promise<void> {
    await this.#ask("/start");
  }

  /** Ends its clients. */
  close(): void {
    for (const client of this.#clients) client.close();
  }

  async #ask(path: string, body: unknown = {}): Promise<void> {
    const response = await fetch(`${this.#surroundings.host}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${text}`);
  }
}

function recorded(WebSocketOf: WebSocketClass, note: (frame: Sent) => void): WebSocketClass {
  return class extends WebSocketOf {
    override send(text: string): void {
      note(JSON.parse(text));
      super.send(text);
    }
  };
}

/** What somebody who subscribed was told. */
export class Watched {
  readonly frames: PushedFrame[] = [];
  readonly errors: ClientError[] = [];
  live = false;
  readonly unsubscribe: () => void;

  constructor(client: Client, topics: string | readonly string[]) {
    const { unsubscribe } = client.subscribe(topics, (frame) => this.frames.push(frame), {
      onLive: (isLive) => this.live = isLive,
      onError: (error) => this.errors.push(error),
    });
    this.unsubscribe = unsubscribe;
  }

  /** Subscribes and waits until what comes is live. */
  static async live(client: Client, topics: string | readonly string[]): Promise<Watched> {
    const watched = new Watched(client, topics);
    await until("it is live", () => watched.live);
    return watched;
  }

  /** Every status that it was told, in order. */
  get statuses(): readonly string[] {
    return this.frames.flatMap((frame) => frame.type === "task_status" ? [frame.data.status] : []);
  }

  /** The ids of the frames that tell of tasks: one for each event and half, so none comes twice. */
  get ids(): readonly string[] {
    return this.frames.flatMap(({ type, id }) =>
      type === "task_status" || type === "task_progress" ? [id] : []
    );
  }

  /** Waits until it was told all of these, and no other status. */
  async wasTold(...statuses: readonly string[]): Promise<void> {
    await until(
      `the status is ${statuses.at(-1)}`,
      () => this.statuses.length >= statuses.length,
      () => this.statuses,
    );
    equal(this.statuses, statuses);
    equal(this.ids, [...new Set(this.ids)], "nothing comes twice");
  }
}

/** Throws where the two are not the same, as JSON. */
export function equal(actual: unknown, expected: unknown, what = ""): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw new Error(`${what}: ${is} should be ${should}`);
}

/** Waits until `holds`; throws when it does not within `withinMs`, with what `shown` tells. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  shown: () => unknown = () => "",
  withinMs = 15_000,
): Promise<void> {
  const untilMs = Date.now() + withinMs;
  while (!await holds()) {
    if (Date.now() > untilMs) {
      throw new Error(`not within ${withinMs} ms: ${what} ${JSON.stringify(shown())}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The code of what a promise rejects with. */
export async function refusal(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return typeof error === "object" && error !== null && "code" in error ? error.code : error;
  }
  return "it resolved";
}
