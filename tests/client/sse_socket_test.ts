import { assert, assertEquals } from "@std/assert";
import { type Client, type ClientError, type ClientOptions, connect } from "../../src/client/client.ts";
import { eventStreams } from "../../src/client/sse_socket.ts";
import { eventually } from "../eventually.ts";
import { ManualClock } from "../router/manual_clock.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";

/** A way to a gateway that lets those through who have a token it takes, and notes who came. */
class Gate {
  /** The tokens that are let through; all, where there are none. */
  readonly tokens = new Set<string>();
  /** Every request: path, token, and from where a stream goes on. */
  readonly seen: { readonly path: string; readonly token: string; readonly since: string | null }[] = [];
  /** Nobody is let through before. */
  opened = Promise.resolve();
  /** How long a token lives, as streams are told. */
  lifeMs: number | undefined;

  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(String(input));
    const token = new Headers(init?.headers).get("authorization") ?? "";
    assert(!url.searchParams.has("token"), "a token is in no URL");
    this.seen.push({ path: url.pathname, token, since: url.searchParams.get("since") });
    await this.opened;
    if (this.tokens.size > 0 && !this.tokens.has(token)) return new Response("", { status: 401 });
    const response = await fetch(url, init);
    if (url.pathname !== "/api/stream" || this.lifeMs === undefined) return response;
    return new Response(response.body?.pipeThrough(expiring(this.lifeMs)), response);
  };

  get streams(): Gate["seen"] {
    return this.seen.filter(({ path }) => path === "/api/stream");
  }

  connect(port: number, options: ClientOptions = {}): Client & Disposable {
    const open = eventStreams({ fetch: this.fetch });
    const client = connect(`http://127.0.0.1:${port}`, { open, firstWaitMs: 50, ...options });
    return Object.assign(client, { [Symbol.dispose]: () => client.close() });
  }
}

/** Has `welcome` say that its token expires so long after it. */
function expiring(lifeMs: number): TransformStream<Uint8Array, Uint8Array> {
  const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
  return new TransformStream({
    transform(chunk, controller) {
      const text = decoder.decode(chunk, { stream: true });
      const said = text.replace(
        /("type":"welcome".*?"timestamp":)(\d+)(,"data":\{)/,
        (_, before, ms, after) => `${before}${ms}${after}"expires_at":${Number(ms) + lifeMs},`,
      );
      controller.enqueue(encoder.encode(said));
    },
  });
}

/** Who watches topics, and what became of it. */
class Watcher {
  readonly statuses: string[] = [];
  readonly errors: ClientError[] = [];
  isLive = false;
  readonly unsubscribe: () => void;

  constructor(client: Client, topics: string | readonly string[], replay: "latest" | "none" = "latest") {
    ({ unsubscribe: this.unsubscribe } = client.subscribe(topics, (frame) => {
      if (frame.type === "task_status") this.statuses.push(`${frame.data.task_id} ${frame.data.status}`);
    }, { replay, onLive: (isLive) => this.isLive = isLive, onError: (error) => this.errors.push(error) }));
  }

  async live(): Promise<void> {
    await eventually("it is live", () => this.isLive);
  }
}

const tick = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 2));

Deno.test("over streams what is subscribed to at once begins one stream, and what comes while one begins few more", async () => {
  await using live = await LiveGateway.start();
  await live.append(eventOf("t1", "started"));
  const gate = new Gate();
  using client = gate.connect(live.port);
  const first = Array.from({ length: 20 }, (_, i) => new Watcher(client, `task:id:t${i}`));
  await Promise.all(first.map((one) => one.live()));
  assertEquals(gate.streams.length, 1);
  const later: Watcher[] = [];
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  gate.opened = opened;
  for (let i = 20; i < 60; i++) {
    later.push(new Watcher(client, `task:id:t${i}`));
    await tick();
  }
  open();
  await Promise.all(later.map((one) => one.live()));
  // The first of them alone, then with the others; the same for all that came meanwhile.
  assertEquals(gate.streams.length, 5);
  const before = gate.streams.length;
  for (const one of first) one.unsubscribe();
  const others = [new Watcher(client, "task:status", "none"), new Watcher(client, "task:list")];
  await Promise.all(others.map((one) => one.live()));
  assert(gate.streams.length <= before + 3, `${gate.streams.length - before} streams for one turn`);
  await live.append(eventOf("t21", "started"));
  await eventually("both are told", () => [others[0], later[1]].every((one) => one?.statuses.length === 1));
});

Deno.test("over streams a topic without its past goes on, whatever comes beside it", async () => {
  await using live = await LiveGateway.start();
  await live.append(eventOf("a", "started"));
  const gate = new Gate();
  using client = gate.connect(live.port);
  const bare = new Watcher(client, "task:status", "none");
  await bare.live();
  const one = new Watcher(client, "task:id:a");
  await one.live();
  await live.append(eventOf("a", "paused"));
  await eventually("both are told", () => one.statuses.length === 2 && bare.statuses.length === 1);
  assertEquals([bare.statuses, one.statuses], [["a paused"], ["a running", "a paused"]]);
  assertEquals(gate.seen.filter(({ path }) => path === "/api/tasks").length, 1, "on one connection");
});

Deno.test("over streams every request has the token, and a fresh one where it has expired", async () => {
  await using live = await LiveGateway.start();
  await live.append(eventOf("a", "started"));
  const gate = new Gate();
  gate.tokens.add("Bearer t1");
  let asked = 0;
  using client = gate.connect(live.port, { token: () => `t${++asked}` });
  const one = new Watcher(client, "task:id:a");
  await one.live();
  assertEquals((await client.getTask("a")).status, "running");
  assertEquals(new Set(gate.seen.map(({ token }) => token)), new Set(["Bearer t1"]));
  gate.tokens.clear();
  gate.tokens.add("Bearer t2");
  assertEquals((await client.getTask("a")).status, "running", "it is asked again");
  await one.live();
  assertEquals([client.state.kind, gate.streams.at(-1)?.token], ["open", "Bearer t2"]);
});

Deno.test("over streams who has no token that is taken is told so, and does not come back", async () => {
  await using live = await LiveGateway.start();
  const gate = new Gate();
  gate.tokens.add("Bearer t1");
  using client = gate.connect(live.port, { token: () => "other" });
  await eventually("it is closed", () => client.state.kind === "closed");
  assertEquals(client.state, { kind: "closed", why: "unauthorized", code: 4401 });
});

Deno.test("over streams a token is renewed by a stream that goes on from where the last one was", async () => {
  await using live = await LiveGateway.start();
  const gate = new Gate();
  gate.lifeMs = 100_000;
  const clock = new ManualClock();
  let asked = 0;
  using client = gate.connect(live.port, { clock, token: () => `t${++asked}` });
  const one = new Watcher(client, "task:status");
  await one.live();
  await live.append(eventOf("a", "started"));
  await eventually("it is told", () => one.statuses.length === 1);
  const pass = async (seconds: number) => {
    for (let left = seconds; left > 0; left -= 5) {
      clock.advance(5_000);
      await eventually("pings are answered", tick);
    }
  };
  await pass(75);
  assertEquals(gate.streams.map(({ token }) => token), ["Bearer t1"]);
  await pass(5);
  await eventually("another stream", () => gate.streams.length === 2);
  const [, { token, since } = { token: "", since: "" }] = gate.streams;
  assertEquals([token, since?.split(":")[1]], ["Bearer t2", "1"]);
  await live.append(eventOf("a", "completed"));
  await eventually("the next is told, once", () => one.statuses.length > 1);
  assertEquals(one.statuses, ["a running", "a completed"]);
  assertEquals((await client.getTask("a")).status, "completed");
  assertEquals(gate.seen.at(-1)?.token, "Bearer t2");
  await pass(80);
  await eventually("and renewed", () => gate.streams.at(-1)?.token === "Bearer t3");
});

Deno.test("over streams as many topics are held as a URL takes, and the others wait and are told", async () => {
  await using live = await LiveGateway.start({ MAX_TOPICS: "2000" });
  await live.append(eventOf("a", "started"));
  const gate = new Gate();
  using client = gate.connect(live.port);
  const few = new Watcher(client, "task:id:a");
  await few.live();
  const watchers = Array.from(
    { length: 240 },
    (_, i) => new Watcher(client, `task:id:${"x".repeat(60)}${i}`),
  );
  await eventually(
    "some are live, and the others know",
    () => watchers.every(({ isLive, errors }) => isLive || errors.length === 1),
  );
  const held = watchers.filter(({ isLive }) => isLive).length;
  assert(held > 100 && held < 240, `${held}`);
  const { details } = watchers[239]?.errors[0] ?? {};
  assertEquals(details, { limit: "MAX_TOPICS", max: held + 1, topics: [`task:id:${"x".repeat(60)}239`] });
  for (const one of watchers.slice(0, 100)) one.unsubscribe();
  await eventually("they have room", () => watchers.slice(100).every(({ isLive }) => isLive));
  assertEquals(gate.seen.filter(({ path }) => path === "/api/tasks").length, 1, "on one connection");
});
