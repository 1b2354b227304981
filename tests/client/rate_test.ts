import { assertEquals } from "@std/assert";
import { channelSubject } from "../../src/channel/channel_subject.ts";
import { type Client, type ClientOptions, connect, type PushedFrame } from "../../src/client/client.ts";
import { eventStreams } from "../../src/client/sse_socket.ts";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";
import { Bench, words } from "./bench.ts";
import { Bench as TabBench } from "./tab_bench.ts";

/** A client, and the rates that it asks the gateway for. */
function noting(bench: Bench, options: ClientOptions = {}): { client: Client; rates: unknown[] } {
  const rates: unknown[] = [];
  const client = bench.connect({
    ...options,
    open(url, listener) {
      const socket = bench.wire.socket(url, listener);
      return {
        close: () => socket.close(),
        send(text) {
          const { data } = JSON.parse(text);
          if ("max_rate_hz" in data) rates.push(data.max_rate_hz);
          socket.send(text);
        },
      };
    },
  });
  return { client, rates };
}

function isPaced({ type }: PushedFrame): boolean {
  return type === "task_progress" || type === "data_update";
}

Deno.test("a subscription that asks for a rate is told progress and values so often, each time the newest, and a status at once", async () => {
  const bench = await Bench.start();
  const { client, rates } = noting(bench);
  const frames: PushedFrame[] = [];
  const topics = ["task:progress", "task:status", "data:candles"];
  client.subscribe(topics, (frame) => frames.push(frame), { maxRateHz: 2, replay: "none" });
  await bench.pass(100);
  assertEquals(rates, [2]);
  await bench.event("t", "started");
  await bench.pass(500);
  frames.length = 0;
  for (let i = 1; i <= 25; i++) {
    const body = new TextEncoder().encode(String(i));
    bench.world.log.put({ subject: channelSubject({ topic: "data:candles", key: "" }), body });
    await bench.event("t", "progress", { completed: i });
  }
  const told = frames.filter(isPaced).map((frame) =>
    frame.type === "task_progress"
      ? frame.data.progress.completed
      : frame.type === "data_update" && frame.data.payload
  );
  // 25 of each in 1.5 s.
  assertEquals([told.slice(0, 2), told.length <= 8], [[1, 1], true], `${told}`);
  await bench.event("t", "paused");
  assertEquals(words(frames).slice(-2), ["t 25", "t paused"], "which takes along what waited");
  client.close();
});

Deno.test("a connection goes as fast as whoever asks for the most, and slower again when they have gone", async () => {
  const bench = await Bench.start();
  const { client, rates } = noting(bench);
  const topic = "task:progress";
  client.subscribe(topic, () => {}, { maxRateHz: 2 });
  client.subscribe("data:candles", () => {}, { maxRateHz: 0 });
  await bench.pass(100);
  const faster = client.subscribe(topic, () => {}, { maxRateHz: 5 });
  await bench.pass(100);
  const fastest = client.subscribe("task:status", () => {});
  await bench.pass(100);
  fastest.unsubscribe();
  await bench.pass(100);
  faster.unsubscribe();
  await bench.pass(100);
  assertEquals(rates, [2, 5, 50, 5, 2]);
  bench.wire.cut();
  await bench.pass(2_000);
  assertEquals([rates.slice(5), client.state.kind], [[2], "open"], "and so on the next connection");
  client.close();
});

Deno.test("a rate of the client is for all that say nothing, stores too; one that no gateway knows is the nearest", async () => {
  const bench = await Bench.start();
  const { client, rates } = noting(bench, { maxRateHz: 1_000 });
  const stop = client.task("t").subscribe(() => {});
  await bench.pass(100);
  assertEquals(rates, [], "who wants all need not say so");
  client.close();
  const slow = noting(bench, { maxRateHz: 0.001 });
  slow.client.task("t").subscribe(() => {});
  await bench.pass(100);
  assertEquals(slow.rates, [0.1]);
  stop();
  slow.client.close();
});

Deno.test("what waits for its turn, as it was asked to, is not late", async () => {
  const bench = await Bench.start();
  const { client } = noting(bench);
  await bench.event("t", "started");
  const lives: boolean[] = [];
  const told: string[] = [];
  client.subscribe(["task:progress"], (frame) => told.push(...words([frame])), {
    maxRateHz: 0.1,
    replay: "none",
    onLive: (isLive) => lives.push(isLive),
  });
  await bench.pass(100);
  for (const completed of [1, 2]) await bench.event("t", "progress", { completed });
  await bench.pass(11_000);
  assertEquals([lives, told], [[true], ["t 1", "t 2"]]);
  client.close();
});

Deno.test("tabs that share a connection have it as fast as the one that asks for the most", async () => {
  const bench = await TabBench.start();
  const one = bench.open({ maxRateHz: 2 });
  const two = bench.open({ maxRateHz: 4 });
  await bench.pass(100);
  const three = bench.open({ topics: ["task:progress"] });
  await bench.pass(100);
  await bench.event("t", "started");
  three.client.close();
  await bench.pass(100);
  const brief = two.client.subscribe("task:status", () => {}, { maxRateHz: 8 });
  await bench.pass(100);
  brief.unsubscribe();
  await bench.pass(100);
  two.client.close();
  await bench.pass(100);
  const rates = one.sent.flatMap(({ data }) => data["max_rate_hz"] ?? []);
  assertEquals(rates, [2, 4, 50, 4, 8, 4, 2]);
  assertEquals([one.words, two.words], [["t running"], ["t running"]]);
  await bench.end(one, two, three);
});

/** Whoever watches at the slowest rate is told the first progress at once, and the newest of the others with a status. */
async function slowly(live: LiveGateway, client: Client): Promise<void> {
  const told: string[] = [];
  let isLive = false;
  client.subscribe(["task:progress", "task:status"], (frame) => told.push(...words([frame])), {
    replay: "none",
    maxRateHz: 0.1,
    onLive: (is) => isLive = is,
  });
  await eventually("it is live", () => isLive);
  await live.append(eventOf("t", "progress", { completed: 1 }));
  await eventually("the first is told", () => told.includes("t 1"));
  for (let completed = 2; completed <= 9; completed++) {
    await live.append(eventOf("t", "progress", { completed }));
  }
  await live.append(eventOf("t", "completed"));
  await eventually("the end is told", () => told.includes("t completed"));
  assertEquals(told, ["t 1", "t running", "t 9", "t completed"]);
}

Deno.test("over a real WebSocket, and over streams, the rate is the gateway's", async () => {
  for (const kind of ["websocket", "sse"] as const) {
    await using live = await LiveGateway.start({ FLUSH_MS: "1" });
    const urls: URL[] = [];
    const open = eventStreams({
      fetch: (input, init) => {
        urls.push(new URL(String(input)));
        return fetch(input, init);
      },
    });
    const client = connect(`http://127.0.0.1:${live.port}`, kind === "sse" ? { open } : {});
    try {
      await slowly(live, client);
      const all: string[] = [];
      let isLive = false;
      client.subscribe("task:progress", (frame) => isPaced(frame) && all.push(...words([frame])), {
        replay: "none",
        onLive: (is) => isLive = is,
      });
      await eventually("it is live", () => isLive);
      const rates = () => urls.map(({ searchParams }) => searchParams.get("max_rate_hz"));
      await eventually("streams are as fast", () => kind === "websocket" || rates().at(-1) === "50");
      for (const completed of [1, 2, 3]) {
        await live.append(eventOf(`u-${kind}`, "progress", { completed }));
        await eventually("each is told", () => all.at(-1) === `u-${kind} ${completed}`);
      }
      assertEquals(all, [1, 2, 3].map((completed) => `u-${kind} ${completed}`));
    } finally {
      client.close();
    }
    const streams = urls.filter(({ pathname }) => pathname === "/api/stream");
    const rates = new Set(streams.map(({ searchParams }) => searchParams.get("max_rate_hz")));
    assertEquals([...rates], kind === "websocket" ? [] : ["0.1", "50"]);
    await eventually("nobody is left", () => live.gateway.pipeline?.router.audiences === 0);
  }
});
