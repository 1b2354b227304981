import { AssertionError } from "node:assert";
import * as v from "valibot";

/*
 * A client of the seed protocol, written from that document alone and as strictly as it can be read. It knows nothing
 * of what taskwire adds: no cursor, no batch, no frame type of ours. Whatever the server learns to do, this file stays
 * as it is and goes on to work. What follows is its reading of the document.
 *
 * - Messages are JSON text with `type`, `id`, `timestamp` (ms) and, by type, `data` or `error`. Members and types that
 *   it does not know it passes over.
 * - The first message is the server's welcome, whatever its type is called.
 * - An answer carries the `id` of its request; a subscription is confirmed by such an answer. There is one answer to a
 *   request.
 * - Messages are deduplicated by `id`: two with the same one that say different things would lose one of them.
 * - `error` is there in error messages only, with one of five codes, a message and details.
 */

/** A message of the server. */
export type SeedMessage = {
  readonly type: string;
  readonly id: string;
  readonly timestamp: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly error: SeedError | undefined;
};

/** What an error message tells. */
export type SeedError = {
  readonly code: (typeof CODES)[number];
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
};

/** The progress of a task, by the names and types of the document. */
export type SeedProgress = v.InferOutput<typeof Progress>;
/** The status of a task. */
export type SeedStatus = v.InferOutput<typeof Status>;

const CODES = [
  "INVALID_MESSAGE",
  "UNAUTHORIZED",
  "TOPIC_NOT_FOUND",
  "TASK_NOT_FOUND",
  "SERVER_ERROR",
] as const;

const Text = v.pipe(v.string(), v.minLength(1));
/** Milliseconds since the epoch: a whole number of this century, not seconds and not text. */
const Milliseconds = v.pipe(v.number(), v.integer(), v.minValue(1e12), v.maxValue(5e12));
const Time = v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/));

const Progress = v.object({
  total: v.number(),
  completed: v.number(),
  failed: v.number(),
  current: v.string(),
  percentage: v.pipe(v.number(), v.minValue(0), v.maxValue(100)),
  status: v.string(),
});

/** A task that has not started, or not ended, has no time to tell. */
const Status = v.object({
  task_id: Text,
  status: Text,
  start_time: v.nullable(Time),
  end_time: v.nullable(Time),
});

const Envelope = v.object({
  type: Text,
  id: Text,
  timestamp: Milliseconds,
  data: v.optional(v.record(v.string(), v.unknown())),
  error: v.optional(
    v.object({
      code: v.picklist(CODES),
      message: Text,
      details: v.record(v.string(), v.unknown()),
    }),
  ),
});

/** What the document says of the data of each type that it names. */
const DATA = new Map<string, v.GenericSchema<unknown, object>>([
  ["pong", v.object({ server_time: Milliseconds })],
  ["task_progress", v.object({ task_id: Text, progress: Progress })],
  ["task_status", Status],
  ["task_list", v.record(v.string(), v.unknown())],
]);

/** The most that anything may take, ms. */
const DEADLINE_MS = 15_000;

/** The client. Whatever breaks the document makes everything that it is asked from then on reject. */
export class SeedClient implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #arrived: SeedMessage[] = [];
  readonly #known = new Map<string, string>();
  readonly #requests = new Set<string>();
  readonly #ended: Promise<void>;
  #fault: Error | undefined;
  #counter = 0;
  #look: () => void = () => {};

  private constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => {
      try {
        this.#take(data);
      } catch (error) {
        this.#fault ??= error instanceof Error ? error : new Error(String(error));
      }
      this.#look();
    };
    this.#socket.onerror = (event) => event.preventDefault(); // the close event follows
    this.#ended = new Promise((resolve) => {
      this.#socket.onclose = ({ code }) => {
        this.#fault ??= new Error(`The connection was closed with ${code}`);
        this.#look();
        resolve();
      };
    });
  }

  /** Connects, and waits for the welcome. */
  static async connect(url: string): Promise<SeedClient> {
    const client = new SeedClient(url);
    try {
      await client.#first(() => true, "the welcome");
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sends text as it is. */
  send(text: string): void {
    this.#socket.send(text);
  }

  /** Sends a request and returns what carries its id: an answer, or an error. */
  async request(type: string, data: Readonly<Record<string, unknown>>): Promise<SeedMessage> {
    const id = `${type}_${++this.#counter}`;
    this.#requests.add(id);
    this.send(JSON.stringify({ type, id, timestamp: Date.now(), data }));
    return await this.#first((message) => message.id === id, `an answer to ${type}`);
  }

  /** The heartbeat: answered under its own id, with the server's time of this moment. */
  async ping(): Promise<void> {
    const fromMs = Date.now();
    const { type, data } = await this.request("ping", {});
    const { server_time: serverTime } = v.parse(v.object({ server_time: Milliseconds }), data);
    const toMs = Date.now();
    expect(type === "pong", `a ping is answered by ${type}`);
    expect(fromMs <= serverTime && serverTime <= toMs, `server_time ${serverTime} is not now, ${toMs}`);
  }

  /** The next message of this type that nobody has taken; of pushed ones only. */
  async pushed(type: string): Promise<SeedMessage> {
    return await this.#first((message) => message.type === type && !this.#requests.has(message.id), type);
  }

  /** The next progress that is pushed: what the document has of it, and nothing else. */
  async progress(): Promise<{ readonly task_id: string; readonly progress: SeedProgress }> {
    return v.parse(
      v.object({ task_id: Text, progress: Progress }),
      (await this.pushed("task_progress")).data,
    );
  }

  /** The next status that is pushed: what the document has of it, and nothing else. */
  async status(): Promise<SeedStatus> {
    return v.parse(Status, (await this.pushed("task_status")).data);
  }

  /** The next error that answers nothing we know the id of. */
  async error(): Promise<SeedError | undefined> {
    return (await this.pushed("error")).error;
  }

  /** The types of the seed among what has come and nobody has taken. */
  untaken(): string[] {
    return this.#arrived.map(({ type }) => type).filter((type) => DATA.has(type) || type === "error");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close();
    await this.#ended;
  }

  #take(text: unknown): void {
    expect(typeof text === "string", "a message is not text");
    const { data, error, ...envelope } = v.parse(Envelope, JSON.parse(text));
    expect((envelope.type === "error") === (error !== undefined), `${envelope.type} and error: ${text}`);
    const schema = DATA.get(envelope.type);
    const seen = schema === undefined ? undefined : v.parse(schema, data);
    if (seen !== undefined) this.#unlikeOthers(envelope.id, JSON.stringify([envelope.type, seen]));
    this.#arrived.push({ ...envelope, data: data ?? {}, error });
  }

  #unlikeOthers(id: string, said: string): void {
    const before = this.#known.get(id);
    expect(before === undefined || before === said, `the id ${id} stands for ${before} and for ${said}`);
    expect(before === undefined || !this.#requests.has(id), `there is a second answer to ${id}`);
    this.#known.set(id, said);
  }

  #first(fits: (message: SeedMessage) => boolean, what: string): Promise<SeedMessage> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => end(new Error(`No ${what} within ${DEADLINE_MS} ms`)), DEADLINE_MS);
      const end = (found: SeedMessage | Error) => {
        clearTimeout(late);
        this.#look = () => {};
        if (found instanceof Error) reject(found);
        else resolve(found);
      };
      this.#look = () => {
        const at = this.#arrived.findIndex(fits);
        const [found] = at < 0 ? [] : this.#arrived.splice(at, 1);
        const outcome = found ?? this.#fault;
        if (outcome !== undefined) end(outcome);
      };
      this.#look();
    });
  }
}

function expect(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new AssertionError({ message: otherwise });
}
