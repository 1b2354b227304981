import { assert, assertEquals } from "@std/assert";
import type { Client, ClientError, ClientOptions, PushedFrame } from "../../src/client/client.ts";
import { Bench, words } from "./bench.ts";

Deno.test("a topic whose giving back came too early is given back later", async () => {
  const bench = await Bench.start({
    limits: { maxTopics: 256, rate: { perSecond: 1, burst: 2 }, authMs: 10_000 },
  });
  const client = bench.connect();
  const { unsubscribe } = client.subscribe("task:status", () => {});
  await bench.pass(100);
  const asked = client.getTask("t").catch(() => {});
  unsubscribe();
  await bench.pass(3_000);
  await asked;
  assertEquals(bench.world.router.topics, 0);
  client.close();
  assertEquals(bench.world.clock.pending, 0, "no timer is left");
});

Deno.test("a topic that is watched again while its giving back comes too early is live in the end", async () => {
  const bench = await Bench.start({
    limits: { maxTopics: 256, rate: { perSecond: 1, burst: 2 }, authMs: 10_000 },
  });
  await bench.event("t", "started");
  const client = bench.connect();
  const { unsubscribe } = client.subscribe("task:status", () => {});
  await bench.pass(100);
  const asked = client.getTask("t").catch(() => {});
  unsubscribe();
  await bench.pass(10);
  const frames: PushedFrame[] = [];
  let isLive = false;
  client.subscribe("task:status", (frame) => frames.push(frame), { onLive: (is) => isLive = is });
  await bench.pass(10_000);
  await asked;
  assert(isLive, "it is live");
  assertEquals(words(frames), ["t running", "caught_up"]);
  client.close();
});

Deno.test("a history that is asked for while its topic is given back too early comes whole", async () => {
  const bench = await Bench.start({
    limits: { maxTopics: 256, rate: { perSecond: 1, burst: 2 }, authMs: 10_000 },
  });
  for (const kind of ["started", "paused", "resumed"]) await bench.event("t", kind);
  const client = bench.connect();
  client.subscribe("task:status", () => {});
  await bench.pass(100);
  const asked = client.getTask("t");
  const frames: PushedFrame[] = [];
  client.subscribe("task:status", (frame) => frames.push(frame), { replay: "all" });
  await bench.pass(10_000);
  await asked;
  assertEquals(words(frames), ["t running", "t paused", "t running", "caught_up"]);
  client.close();
});

/** Somebody who watches a topic, and what became of it. */
class Watcher {
  readonly errors: ClientError[] = [];
  isLive = false;
  readonly unsubscribe: () => void;

  constructor(client: Client, topics: string | readonly string[]) {
    ({ unsubscribe: this.unsubscribe } = client.subscribe(topics, () => {}, {
      onLive: (isLive) => this.isLive = isLive,
      onError: (error) => this.errors.push(error),
    }));
  }
}

Deno.test("of more topics than a connection may hold as many are held as fit, and the others wait and are told", async () => {
  const bench = await Bench.start({
    limits: { maxTopics: 3, rate: { perSecond: 1e9, burst: 1e9 }, authMs: 10_000 },
  });
  const client = bench.connect();
  const watchers = ["a", "b", "c", "d", "e"].map((id) => new Watcher(client, `task:id:${id}`));
  const live = () => watchers.map(({ isLive }) => isLive);
  await bench.pass(100);
  assertEquals(live(), [true, true, true, false, false]);
  assertEquals(watchers.map(({ errors }) => errors.map(({ code, details }) => [code, details])), [
    [],
    [],
    [],
    [["LIMIT_EXCEEDED", { limit: "MAX_TOPICS", max: 3, topics: ["task:id:d"] }]],
    [["LIMIT_EXCEEDED", { limit: "MAX_TOPICS", max: 3, topics: ["task:id:e"] }]],
  ]);
  watchers[1]?.unsubscribe();
  await bench.pass(100);
  assertEquals(live(), [true, true, true, true, false], "the place is given to who came first");
  bench.wire.cut();
  assertEquals(live(), [false, true, false, false, false]);
  await bench.pass(2_000);
  assertEquals(live(), [true, true, true, true, false], "and those who had one keep it");
  watchers[0]?.unsubscribe();
  await bench.pass(100);
  assertEquals(live(), [true, true, true, true, true]);
  assertEquals(watchers.map(({ errors }) => errors.length), [0, 0, 0, 1, 1], "each is told once");
  assertEquals(bench.world.counts.errors, {}, "the gateway refused nothing");
  client.close();
});

Deno.test("who does not know how many topics may be held learns it by being refused", async () => {
  const bench = await Bench.start({
    limits: { maxTopics: 3, rate: { perSecond: 1e9, burst: 1e9 }, authMs: 10_000 },
  });
  const client = bench.connect({
    open: (url, listener) =>
      bench.wire.socket(url, {
        ...listener,
        message: (text) => listener.message(text.replace('"max_topics":3', '"max_topics":9')),
      }),
  });
  const watchers = ["a", "b", "c", "d", "e"].map((id) => new Watcher(client, `task:id:${id}`));
  await bench.pass(200);
  assertEquals(watchers.map(({ isLive, errors }) => [isLive, errors.length]), [
    [true, 0],
    [true, 0],
    [true, 0],
    [false, 1],
    [false, 1],
  ]);
  client.close();
});

Deno.test("thousands of topics go in requests that a gateway takes", async () => {
  const bench = await Bench.start({
    limits: { maxTopics: 10_000, rate: { perSecond: 1e9, burst: 1e9 }, authMs: 10_000 },
  });
  const client = bench.connect();
  const names = Array.from({ length: 3_000 }, (_, i) => `task:tag:${"字".repeat(15)}${i}`);
  const long = new Watcher(client, names);
  const short = new Watcher(client, names.map((_, i) => `task:id:${i}`));
  await bench.pass(200);
  assertEquals([long.isLive, short.isLive, bench.world.router.topics], [true, true, 6_000]);
  long.unsubscribe();
  short.unsubscribe();
  await bench.pass(200);
  assertEquals([client.state.kind, bench.wire.opened, bench.world.router.topics], ["open", 1, 0]);
  client.close();
});

Deno.test("a name that is longer than any topic's is refused, and harms nobody else", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const good = new Watcher(client, "task:status");
  const bad = new Watcher(client, `task:id:${"a".repeat(70_000)}`);
  await bench.pass(200);
  assertEquals([good.isLive, bad.isLive, bad.errors.map(({ code }) => code)], [
    true,
    false,
    ["TOPIC_NOT_FOUND"],
  ]);
  client.close();
});

/** A network that loses the first request about `task:list`. */
function losing(bench: Bench): ClientOptions {
  let lost = 0;
  return {
    open(url, listener) {
      const socket = bench.wire.socket(url, listener);
      const isLost = (text: string) => lost === 0 && text.includes("task:list") && ++lost === 1;
      return { ...socket, send: (text) => isLost(text) ? undefined : socket.send(text) };
    },
  };
}

Deno.test("a topic request that is never answered is made again on another connection", async () => {
  const bench = await Bench.start();
  const client = bench.connect(losing(bench));
  const lost = new Watcher(client, "task:list");
  await bench.pass(19_900);
  assertEquals([lost.isLive, bench.wire.opened], [false, 1]);
  await bench.pass(1_000);
  assertEquals([lost.isLive, bench.wire.opened], [true, 2]);
  client.close();
  assertEquals(bench.world.clock.pending, 0, "no timer is left");
});

Deno.test("a topic request whose answer is late holds up no others", async () => {
  const bench = await Bench.start();
  const options = losing(bench);
  const client = bench.connect({
    ...options,
    // What shows that it is the gateway that does not answer is not heard of.
    open: (url, listener) =>
      options.open?.(url, {
        ...listener,
        message: (text) => text.includes('"pong"') || listener.message(text),
      }) ?? bench.wire.socket(url, listener),
  });
  const lost = new Watcher(client, "task:list");
  await bench.pass(100);
  const later = new Watcher(client, "task:status");
  await bench.pass(9_000);
  assertEquals([lost.isLive, later.isLive], [false, false]);
  await bench.pass(1_000);
  assertEquals([lost.isLive, later.isLive], [false, true]);
  client.close();
});

Deno.test("an answer that only takes its time is waited for as long as what was sent before it keeps coming", async () => {
  const bench = await Bench.start();
  let delayed: (() => void)[] | undefined = [];
  const client = bench.connect({
    open: (url, listener) =>
      bench.wire.socket(url, {
        ...listener,
        message(text) {
          if (delayed === undefined || text.includes("welcome")) return listener.message(text);
          delayed.push(() => listener.message(text));
        },
      }),
  });
  const watcher = new Watcher(client, "task:status");
  await bench.pass(25_000);
  const late = delayed;
  delayed = undefined;
  for (const tell of late) tell();
  await bench.pass(1_000);
  assertEquals([watcher.isLive, bench.wire.opened], [true, 1]);
  client.close();
});

Deno.test("who asks for a whole history is told where its beginning is gone, and nobody else", async () => {
  const bench = await Bench.start();
  for (const kind of ["started", "paused", "resumed"]) await bench.event("t", kind);
  bench.world.expire(2);
  const client = bench.connect();
  const told: string[] = [];
  const frames: PushedFrame[] = [];
  client.subscribe("task:status", () => {}, { onTruncated: () => told.push("latest") });
  await bench.pass(100);
  client.subscribe(["task:status", "task:list"], (frame) => frames.push(frame), {
    replay: "all",
    onTruncated: () => told.push("all"),
  });
  await bench.pass(100);
  assertEquals(told, ["all"]);
  assertEquals(words(frames).filter((word) => word.startsWith("t ")), ["t paused", "t running"]);
  client.close();
  const whole = await Bench.start();
  const other = whole.connect();
  other.subscribe("task:status", () => {}, { replay: "all", onTruncated: () => told.push("whole") });
  await whole.pass(100);
  assertEquals(told, ["all"]);
  other.close();
});

Deno.test("topics that the gateway leaves by itself are told of, and no others, nor are they asked for again", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const [left, both, stays] = ["data:a", ["data:b", "task:status"], "task:list"]
    .map((topics) => new Watcher(client, topics));
  await bench.pass(200);
  bench.wire.withdraw("data");
  await bench.pass(200);
  const codes = [left, both, stays].map((watcher) => watcher?.errors.map(({ code }) => code));
  assertEquals(codes, [["TOPIC_NOT_FOUND"], ["TOPIC_NOT_FOUND"], []]);
  assertEquals([stays?.isLive, client.state.kind], [true, "open"]);
  bench.wire.cut();
  await bench.pass(2_000);
  assertEquals([stays?.isLive, bench.world.counts.errors], [true, { TOPIC_NOT_FOUND: 1 }]);
  client.close();
});
