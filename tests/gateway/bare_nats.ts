import * as v from "valibot";

/** A message that the server sent. */
export type Received = {
  readonly subject: string;
  /** The status of its header line, such as `503`; empty without. */
  readonly status: string;
  readonly body: Uint8Array;
};

/** What goes with a message. */
export type PublishOptions = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly reply?: string;
  /** How long an answer may take, ms. Default: 5,000. */
  readonly withinMs?: number;
};

/** Who connects, where the server asks. */
export type NatsUser = { readonly user?: string; readonly pass?: string };

/** An answer of JetStream's API, as far as any test looks at it: the description of a stream has its `config`. */
const ApiAnswer = v.object({
  error: v.exactOptional(v.object({ description: v.string() })),
  config: v.exactOptional(v.record(v.string(), v.unknown())),
});
type ApiAnswer = v.InferOutput<typeof ApiAnswer>;

/** The most that an answer may take, ms. */
const ANSWER_MS = 5_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * NATS spoken by hand over a TCP socket: what any program with a socket can do. Nothing of the project and no client
 * library stands between a test and the server.
 */
export class BareNats implements AsyncDisposable {
  /** `nats://host:port`. */
  readonly url: string;
  /** What the server complained of, such as `'Invalid Publish Subject'`. */
  readonly errors: string[] = [];
  readonly #connection: Deno.TcpConn;
  readonly #reading: Promise<void>;
  readonly #inbox = `_INBOX.${crypto.randomUUID()}`;
  readonly #waiting = new Map<string, PromiseWithResolvers<Received>>();
  readonly #subscribed = new Map<string, PromiseWithResolvers<Received>>();
  /** The first is that of the inbox. */
  #subscriptions = 1;
  #pongs: PromiseWithResolvers<void>[] = [];
  #writing: Promise<void> = Promise.resolve();
  #asked = 0;
  #lost = false;

  private constructor(url: string, connection: Deno.TcpConn) {
    this.url = url;
    this.#connection = connection;
    this.#reading = this.#read();
  }

  /** Connects to `nats://host:port`, as a user where one is given. Rejects when nobody listens there. */
  static async connect(
    url: string,
    user: NatsUser = {},
  ): Promise<BareNats> {
    const { hostname, port } = new URL(url);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    connection.setNoDelay(true);
    const bare = new BareNats(url, connection);
    const options = {
      verbose: false,
      pedantic: false,
      headers: true,
      no_responders: true,
      lang: "none",
      ...user,
    };
    bare.#send(`CONNECT ${JSON.stringify(options)}\r\nSUB ${bare.#inbox}.* 1\r\n`);
    try {
      await bare.flush();
      return bare;
    } catch (error) {
      await bare[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Whether the connection has ended. */
  get lost(): boolean {
    return this.#lost;
  }

  /** `PUB`, or `HPUB` with headers. Nothing tells whether it arrived but a {@link flush} after it. */
  publish(subject: string, body: string | Uint8Array, options: PublishOptions = {}): void {
    const payload = typeof body === "string" ? encoder.encode(body) : body;
    const reply = options.reply === undefined ? "" : ` ${options.reply}`;
    if (options.headers === undefined) {
      return this.#send(`PUB ${subject}${reply} ${payload.length}\r\n`, payload, "\r\n");
    }
    const lines = Object.entries(options.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = encoder.encode(`NATS/1.0\r\n${lines.join("")}\r\n`);
    this.#send(
      `HPUB ${subject}${reply} ${head.length} ${head.length + payload.length}\r\n`,
      head,
      payload,
      "\r\n",
    );
  }

  /** Publishes and waits for an answer. Rejects when none comes in time, or nobody is there to give one. */
  async request(subject: string, body: unknown = "", options: PublishOptions = {}): Promise<Received> {
    const reply = `${this.#inbox}.${++this.#asked}`;
    const waiting = Promise.withResolvers<Received>();
    const late = setTimeout(
      () => waiting.reject(new Error(`No answer on ${subject}`)),
      options.withinMs ?? ANSWER_MS,
    );
    this.#waiting.set(reply, waiting);
    try {
      this.publish(subject, typeof body === "string" ? body : JSON.stringify(body), { ...options, reply });
      if (this.#lost) throw new Error("The connection is lost");
      const received = await waiting.promise;
      if (received.status === "503") throw new Error(`Nobody answers on ${subject}`);
      return received;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(reply);
    }
  }

  /** Asks JetStream's API. Rejects with the error that it answers. */
  async api(subject: string, body: unknown = ""): Promise<ApiAnswer> {
    const { body: answer } = await this.request(`$JS.API.${subject}`, body);
    const parsed = v.parse(ApiAnswer, JSON.parse(decoder.decode(answer)));
    if (parsed.error !== undefined) throw new Error(`${subject}: ${parsed.error.description}`);
    return parsed;
  }

  /** `SUB`: resolves with the first message on a subject. */
  first(subject: string): Promise<Received> {
    const waiting = Promise.withResolvers<Received>();
    this.#subscribed.set(`${++this.#subscriptions}`, waiting);
    this.#send(`SUB ${subject} ${this.#subscriptions}\r\n`);
    return waiting.promise;
  }

  /** What the server says against this: `-ERR`. Rejects where it says nothing. */
  async refusal(act: (nats: BareNats) => void): Promise<string> {
    const before = this.errors.length;
    act(this);
    await this.flush();
    const refusal = this.errors[before];
    if (refusal === undefined) throw new Error("The server let it pass");
    return refusal;
  }

  /** `PING`, and waits for `PONG`: what was sent before has been taken. */
  async flush(): Promise<void> {
    const pong = Promise.withResolvers<void>();
    const late = setTimeout(() => pong.reject(new Error("No PONG")), ANSWER_MS);
    this.#pongs.push(pong);
    this.#send("PING\r\n");
    if (this.#lost) pong.reject(new Error("The connection is lost"));
    await pong.promise.finally(() => clearTimeout(late));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    try {
      this.#connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    await this.#reading;
  }

  #send(...parts: readonly (string | Uint8Array)[]): void {
    const pieces = parts.map((part) => typeof part === "string" ? encoder.encode(part) : part);
    this.#writing = this.#writing.then(() => this.#writeAll(joined(pieces))).catch(() => {
      this.#lost = true; // the reader comes to its end too
    });
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      written += await this.#connection.write(bytes.subarray(written));
    }
  }

  async #read(): Promise<void> {
    let rest = new Uint8Array();
    try {
      for (;;) {
        const buffer = new Uint8Array(65_536);
        const read = await this.#connection.read(buffer);
        if (read === null) break;
        rest = joined([rest, buffer.subarray(0, read)]);
        for (let used = this.#take(rest); used > 0; used = this.#take(rest)) rest = rest.subarray(used);
      }
    } catch {
      // It was cut off, or closed by us.
    }
    this.#lost = true;
    const lost = new Error("The connection was lost");
    for (const { reject } of [...this.#waiting.values(), ...this.#pongs]) reject(lost);
  }

  /** Takes one command from the front; returns its length, or 0 while it is not whole. */
  #take(bytes: Uint8Array): number {
    const end = bytes.indexOf(10);
    if (end < 0) return 0;
    const line = decoder.decode(bytes.subarray(0, end)).trimEnd();
    const [verb, ...words] = line.split(" ");
    const from = end + 1;
    if (verb === "MSG" || verb === "HMSG") {
      const size = Number(words.at(-1));
      if (bytes.length < from + size + 2) return 0;
      this.#deliver(words, verb, bytes.slice(from, from + size));
      return from + size + 2;
    }
    if (verb === "PING") this.#send("PONG\r\n");
    if (verb === "PONG") this.#pongs.shift()?.resolve();
    if (verb === "-ERR") this.errors.push(words.join(" "));
    return from;
  }

  #deliver(
    [subject = "", sid = "", ...sizes]: readonly string[],
    verb: "MSG" | "HMSG",
    bytes: Uint8Array,
  ): void {
    const headed = verb === "HMSG" ? Number(sizes.at(-2)) : 0;
    const head = decoder.decode(bytes.subarray(0, headed));
    const status = /^NATS\/1\.0 (\d+)/.exec(head)?.[1] ?? "";
    const received = { subject, status, body: bytes.subarray(headed) };
    this.#waiting.get(subject)?.resolve(received);
    this.#subscribed.get(sid)?.resolve(received);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
