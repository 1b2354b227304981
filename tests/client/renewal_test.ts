import { assert, assertEquals } from "@std/assert";
import { type Client, type ClientOptions, connect } from "../../src/client/client.ts";
import type { OpenSocket, SocketListener } from "../../src/client/socket.ts";
import { settled } from "../connection/world.ts";
import { ManualClock } from "../router/manual_clock.ts";

/** How far the gateway's clock is ahead, ms. */
const AHEAD_MS = 3_600_000;

/** A gateway that looks at tokens and does nothing else. */
class Doorman {
  readonly clock = new ManualClock();
  /** The tokens that connections came with, and those they were given meanwhile; when, in s. */
  readonly seen: [string, number][] = [];
  /** How long a token lives; undefined: for good. */
  lifeMs: number | undefined;
  /** What becomes of a new token. */
  answer: "authenticated" | "UNAUTHORIZED" | "RATE_LIMITED" | "nothing" = "authenticated";
  /** What `token` does. */
  token: () => Promise<string> = () => Promise.resolve(`t${++this.#tokens}`);
  /** How many calls of it are pending, at most so far. */
  most = 0;
  end: (code: number) => void = () => {};
  readonly #startedMs = this.clock.now();
  #tokens = 0;

  connect(options: ClientOptions = {}): Client {
    let pending = 0;
    const token = () => {
      this.most = Math.max(this.most, ++pending);
      return this.token().finally(() => pending--);
    };
    const { clock } = this;
    return connect("ws://gateway", { clock, random: () => 0.5, token, open: this.#open, ...options });
  }

  /** Lets so many seconds pass. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds * 10; i++) {
      await settled();
      this.clock.advance(100);
    }
    await settled();
  }

  #note(what: string): void {
    this.seen.push([what, Math.round((this.clock.now() - this.#startedMs) / 100) / 10]);
  }

  #open: OpenSocket = (url, listener) => {
    this.#note(new URL(url).searchParams.get("token") ?? "none");
    this.end = listener.ended;
    this.#say(listener, "welcome", "w", { heartbeat: HEARTBEAT });
    return { send: (text) => this.#heard(listener, JSON.parse(text)), close: () => {} };
  };

  #heard(
    listener: SocketListener,
    { type, id, data }: { type: string; id: string; data: { token: string } },
  ): void {
    if (type === "ping") return this.#say(listener, "pong", id, {});
    this.#note(`${type} ${data.token}`);
    if (this.answer === "nothing") return;
    if (this.answer === "authenticated") return this.#say(listener, this.answer, id, {});
    const error = { code: this.answer, message: "no", details: {} };
    queueMicrotask(() => listener.message(JSON.stringify({ type: "error", id, timestamp: 0, error })));
  }

  #say(listener: SocketListener, type: string, id: string, more: object): void {
    const timestamp = this.clock.now() + AHEAD_MS;
    const data = { ...more, ...(this.lifeMs === undefined ? {} : { expires_at: timestamp + this.lifeMs }) };
    queueMicrotask(() => listener.message(JSON.stringify({ type, id, timestamp, data })));
  }
}

const HEARTBEAT = { interval_ms: 30_000, timeout_ms: 60_000 };

Deno.test("a token is renewed at four fifths of its life, on the connection that there is", async () => {
  const doorman = new Doorman();
  doorman.lifeMs = 100_000;
  const client = doorman.connect();
  await doorman.pass(170);
  assertEquals(doorman.seen, [["t1", 0], ["auth t2", 80], ["auth t3", 160]]);
  client.close();
  assertEquals(doorman.clock.pending, 0);
});

Deno.test("a token is renewed ten seconds before its end at the latest, and a shorter one at once", async () => {
  const doorman = new Doorman();
  doorman.lifeMs = 30_000;
  const client = doorman.connect();
  await doorman.pass(19);
  assertEquals(doorman.seen, [["t1", 0]]);
  doorman.lifeMs = 8_000;
  await doorman.pass(4);
  assertEquals(doorman.seen, [["t1", 0], ["auth t2", 20], ["auth t3", 21], ["auth t4", 22], ["auth t5", 23]]);
  client.close();
});

Deno.test("a token that lives for good, or for longer than timers run, is left alone", async () => {
  const doorman = new Doorman();
  const forever = doorman.connect();
  doorman.lifeMs = 90 * 86_400_000;
  const long = doorman.connect();
  await doorman.pass(60);
  assertEquals(doorman.seen, [["t1", 0], ["t2", 0]]);
  const waits: number[] = [];
  const { clock } = doorman;
  const after = clock.after.bind(clock);
  clock.after = (ms, run) => (waits.push(ms), after(ms, run));
  const longest = doorman.connect();
  await doorman.pass(1);
  assert(waits.every((ms) => ms < 2 ** 31), "a timer of the machine would run out at once");
  for (const client of [forever, long, longest]) client.close();
});

Deno.test("a token that is refused is replaced by another connection with a fresh one, and so is one that expired", async () => {
  const doorman = new Doorman();
  doorman.lifeMs = 100_000;
  doorman.answer = "UNAUTHORIZED";
  const client = doorman.connect();
  await doorman.pass(85);
  assertEquals(doorman.seen.map(([what]) => what), ["t1", "auth t2", "t3"]);
  assertEquals(client.state.kind, "open");
  doorman.end(4402);
  await doorman.pass(5);
  assertEquals(doorman.seen.map(([what]) => what), ["t1", "auth t2", "t3", "t4"]);
  client.close();
});

Deno.test("where tokens are always refused it is tried ever more seldom", async () => {
  const doorman = new Doorman();
  doorman.lifeMs = 5_000;
  doorman.answer = "UNAUTHORIZED";
  const client = doorman.connect();
  await doorman.pass(60);
  assert(doorman.seen.length < 25, `${doorman.seen.length}`);
  client.close();
});

Deno.test("a token that cannot be had is asked for again, later and later, one at a time", async () => {
  const doorman = new Doorman();
  doorman.lifeMs = 100_000;
  const { token } = doorman;
  const client = doorman.connect();
  await doorman.pass(1);
  const asked: number[] = [];
  doorman.token = () => {
    asked.push(doorman.clock.now());
    return Promise.reject(new Error("away"));
  };
  await doorman.pass(93);
  const waits = asked.slice(1).map((ms, i) => Math.round((ms - (asked[i] ?? 0)) / 100) / 10);
  assertEquals(waits, [1, 2, 4]);
  doorman.token = token;
  await doorman.pass(14);
  assertEquals(doorman.seen.map(([what]) => what), ["t1", "auth t2"]);
  assertEquals(doorman.most, 1);
  client.close();
});

Deno.test("a token that comes when its connection is gone is nobody's", async () => {
  const doorman = new Doorman();
  doorman.lifeMs = 100_000;
  const { token } = doorman;
  const client = doorman.connect();
  await doorman.pass(1);
  let bring: (token: string) => void = () => {};
  doorman.token = () => new Promise((resolve) => bring = resolve);
  await doorman.pass(80);
  doorman.token = token;
  doorman.end(1006);
  await doorman.pass(1);
  bring("late");
  await doorman.pass(1);
  assertEquals(doorman.seen.map(([what]) => what), ["t1", "t2"]);
  client.close();
});

Deno.test("a renewal that is not answered, or came too early, is made again", async () => {
  const doorman = new Doorman();
  doorman.lifeMs = 100_000;
  doorman.answer = "nothing";
  const client = doorman.connect();
  await doorman.pass(89);
  assertEquals(doorman.seen, [["t1", 0], ["auth t2", 80]]);
  doorman.answer = "RATE_LIMITED";
  await doorman.pass(1);
  doorman.answer = "authenticated";
  await doorman.pass(80);
  assertEquals(doorman.seen, [["t1", 0], ["auth t2", 80], ["auth t3", 90], ["auth t4", 91]]);
  client.close();
});
