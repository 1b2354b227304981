import { assert, assertEquals, assertRejects } from "@std/assert";
import { SseClient, StreamRefused } from "../sse_client.ts";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "./live_gateway.ts";

const TOPICS = "topics=task:progress,task:status";

function urlOf(live: LiveGateway, query: string): string {
  return `http://127.0.0.1:${live.port}/api/stream?${query}`;
}

function streamOf(live: LiveGateway, query = TOPICS, headers = {}): Promise<SseClient> {
  return SseClient.connect(urlOf(live, query), headers);
}

/** How a stream that must be refused is. */
async function refusal(
  live: LiveGateway,
  query: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<StreamRefused> {
  const answer = streamOf(live, query, headers).then((stream) => stream[Symbol.asyncDispose]());
  const refused = await assertRejects(() => answer, StreamRefused);
  assertEquals(refused.headers.get("content-type"), "application/problem+json");
  return refused;
}

/** Waits until nothing is left of any connection. */
async function untilNobody(live: LiveGateway): Promise<void> {
  await eventually("no connection and no audience is left", async () => {
    const metrics = await live.telemetry.metrics();
    const counts = [...metrics.matchAll(/^taskwire_(?:connections\{.*\}|audiences) (\d+)$/gm)];
    return counts.length > 3 && counts.every(([, count]) => count === "0");
  });
}

/** Of each event its frame's id, or type where that is another on each connection, and the position it can be resumed at. */
function told({ events }: SseClient, epoch: string): unknown[] {
  return events.map(({ frame, id }) => {
    const name = frame.type.startsWith("task_") ? frame.id : frame.type;
    return id === undefined ? name : [name, id.replace(`${epoch}:`, "")];
  });
}

Deno.test("a stream begins with the present state, without ids, and goes on with what happens, with ids", async () => {
  await using live = await LiveGateway.start();
  await live.append(eventOf("a", "started"), eventOf("b", "progress", { completed: 1 }));
  await using stream = await streamOf(live);
  await stream.caughtUp();
  await live.append(eventOf("a", "paused"));
  await live.append(eventOf("b", "completed", { progress: { completed: 2 } }));
  await stream.until("the end of b", () => stream.frames.some(({ id }) => id === "status_4"));
  const epoch = stream.of("welcome")[0]?.data.epoch ?? "";
  assertEquals(told(stream, epoch), [
    "welcome",
    "subscribed",
    "status_1",
    "progress_2",
    "status_2",
    ["caught_up", "2"],
    ["status_3", "3"],
    "progress_4",
    ["status_4", "4"],
  ]);
  const retryMs = stream.retryMs ?? 0;
  assert(retryMs >= 1_000 && retryMs <= 2_000, `retry: ${retryMs}`);
  const { headers } = stream;
  assertEquals(
    ["content-type", "cache-control", "x-accel-buffering"].map((name) => headers.get(name)),
    ["text/event-stream", "no-store", "no"],
  );
});

Deno.test("who begins with nothing can be lost at once and still misses nothing", async () => {
  await using live = await LiveGateway.start();
  await live.append(eventOf("a", "started"));
  const first = await streamOf(live, `${TOPICS}&replay=none`);
  await first.until("it is subscribed", () => first.of("subscribed").length > 0);
  await first[Symbol.asyncDispose]();
  assert(first.lastEventId?.endsWith(":1"), first.lastEventId);
  await live.append(eventOf("a", "paused"));
  await using again = await streamOf(live, `${TOPICS}&replay=none`, { "last-event-id": first.lastEventId });
  await again.until("the pause", () => again.frames.some(({ id }) => id === "status_2"));
  assertEquals(again.of("subscribed")[0]?.data.recovered, true);
});

Deno.test("the last event's id wins over since, and since goes on where it says", async () => {
  await using live = await LiveGateway.start();
  await live.append(eventOf("a", "started"), eventOf("a", "paused"), eventOf("a", "resumed"));
  const epoch = live.gateway.pipeline?.projection.epoch;
  const statuses = async (headers: Readonly<Record<string, string>>) => {
    await using stream = await streamOf(live, `${TOPICS}&since=${epoch}:1`, headers);
    await stream.caughtUp();
    return stream.of("task_status").map(({ id }) => id);
  };
  assertEquals(await statuses({}), ["status_2", "status_3"]);
  assertEquals(await statuses({ "last-event-id": `${epoch}:2` }), ["status_3"]);
  assertEquals(await statuses({ "last-event-id": `${epoch}:3` }), []);
});

Deno.test("a whole history comes with ids, and one of another stream is a gap and the present state", async () => {
  await using live = await LiveGateway.start();
  await live.append(...[1, 2, 3].map((completed) => eventOf("a", "progress", { completed })));
  await using whole = await streamOf(live, "topics=task:id:a&replay=all");
  await whole.caughtUp();
  const epoch = whole.of("welcome")[0]?.data.epoch ?? "";
  assertEquals(told(whole, epoch).slice(2), [
    "progress_1",
    ["status_1", "1"],
    ["progress_2", "2"],
    ["progress_3", "3"],
    ["caught_up", "3"],
  ]);
  await using other = await streamOf(live, "topics=task:id:a", { "last-event-id": "another:2" });
  await other.caughtUp();
  assertEquals(told(other, epoch).slice(2), ["gap", "status_1", "progress_3", ["caught_up", "3"]]);
});

Deno.test("what cannot be streamed is a problem before the stream begins", async () => {
  await using live = await LiveGateway.start({ MAX_TOPICS: "2" });
  const wrong: [string, number, string, string][] = [
    ["topics=task:status,task:ids", 404, "TOPIC_NOT_FOUND", "no such topic on /api/stream: task:ids"],
    ["", 400, "INVALID_MESSAGE", "topics: must name at least one"],
    ["topics=,", 400, "INVALID_MESSAGE", "topics: must name at least one"],
    ["topics=task:status&since=7", 400, "INVALID_MESSAGE", "since.epoch: "],
    ["topics=task:status&replay=some", 400, "INVALID_MESSAGE", "replay: "],
    ["topics=task:status&client_id=a%20b", 400, "INVALID_MESSAGE", "client_id: must be 1–128"],
    [
      "topics=task:status,task:progress,task:list",
      413,
      "LIMIT_EXCEEDED",
      "a connection holds at most 2 topics",
    ],
  ];
  for (const [query, status, code, detail] of wrong) {
    const { status: answered, problem } = await refusal(live, query);
    assert(typeof problem === "object" && problem !== null && "code" in problem && "detail" in problem);
    assertEquals([answered, problem.code], [status, code], query);
    assert(String(problem.detail).startsWith(detail), String(problem.detail));
  }
  const { problem } = await refusal(live, TOPICS, { "last-event-id": "rubbish" });
  assert(JSON.stringify(problem).includes("since."), JSON.stringify(problem));
  await untilNobody(live);
});

Deno.test("pages of other sites are refused; those that may use the API may read the stream", async () => {
  await using live = await LiveGateway.start({ ALLOWED_ORIGINS: "https://app.example.org" });
  assertEquals((await refusal(live, TOPICS, { origin: "https://evil.example.org" })).status, 403);
  await using stream = await streamOf(live, TOPICS, { origin: "https://app.example.org" });
  assertEquals(stream.headers.get("access-control-allow-origin"), "https://app.example.org");
});

Deno.test("streams and WebSockets are counted together, and there is room again when one has gone", async () => {
  await using live = await LiveGateway.start({ MAX_CONNECTIONS_PER_CLIENT: "2" });
  await using socket = await live.connect("/ws?client_id=a");
  const stream = await streamOf(live, `${TOPICS}&client_id=a`);
  const refused = await refusal(live, `${TOPICS}&client_id=a`);
  assertEquals([refused.status, refused.headers.get("retry-after")], [429, "1"]);
  await using other = await streamOf(live, `${TOPICS}&client_id=b`);
  await other.caughtUp();
  await stream[Symbol.asyncDispose]();
  await eventually("there is room", async () => {
    const again = await streamOf(live, `${TOPICS}&client_id=a`).catch(() => undefined);
    await again?.[Symbol.asyncDispose]();
    return again !== undefined;
  });
  assertEquals((await socket.request("ping")).type, "pong");
});

Deno.test("a gateway that is full refuses a stream with 503", async () => {
  await using live = await LiveGateway.start({ MAX_CONNECTIONS: "1" });
  await using _only = await streamOf(live);
  assertEquals((await refusal(live, TOPICS)).status, 503);
});

Deno.test("those who stream the same share an audience, and one prepared buffer", async () => {
  await using live = await LiveGateway.start();
  const streams = await Promise.all(Array.from({ length: 5 }, () => streamOf(live)));
  for (const stream of streams) await stream.caughtUp();
  const { router, counts } = live.gateway.pipeline ?? {};
  assertEquals(router?.audiences, 1);
  const [flushes, writes] = [counts?.flushes ?? 0, counts?.writes ?? 0];
  await live.append(eventOf("a", "started"));
  for (const stream of streams) await stream.until("the start", () => stream.of("task_status").length === 1);
  assertEquals([(counts?.flushes ?? 0) - flushes, (counts?.writes ?? 0) - writes], [1, 5]);
  for (const stream of streams) await stream[Symbol.asyncDispose]();
  await untilNobody(live);
  assertEquals([router?.audiences, router?.topics], [0, 0]);
});

Deno.test("a quiet stream is shown to be alive by comments", async () => {
  await using live = await LiveGateway.start({ HEARTBEAT_MS: "300", IDLE_MS: "900" });
  await using stream = await streamOf(live);
  await stream.until("two comments", () => stream.comments >= 2);
  const startedMs = performance.now();
  await stream.until("more than it may be idle for", () => performance.now() - startedMs > 2_000);
  assertEquals(stream.isOver, false);
});

Deno.test("a gateway that goes away tells streams so, with where to go on, and closes them with 1012", async () => {
  const live = await LiveGateway.start({ DRAIN_MS: "2000" });
  await live.append(eventOf("a", "started"));
  await using stream = await streamOf(live);
  await stream.caughtUp();
  await live.gateway.drain();
  await stream.until("its end", () => stream.isOver);
  assertEquals(stream.code, 1012);
  assertEquals(stream.of("drain")[0]?.data.seq, 1);
  assert(stream.lastEventId?.endsWith(":1"));
  await live[Symbol.asyncDispose]();
});

Deno.test("a reader that goes away while it is read to from the log leaves nothing behind", async () => {
  await using live = await LiveGateway.start();
  const current = "x".repeat(1_000);
  for (let i = 0; i < 8; i++) {
    const events = Array.from(
      { length: 500 },
      (_, n) => eventOf(`job${n}`, "progress", { completed: i, current }),
    );
    await live.append(...events);
  }
  const stream = await streamOf(live, "topics=task:progress&replay=all");
  stream.pause();
  await eventually(
    "it is behind",
    async () => (await live.telemetry.metrics()).includes('taskwire_connections{state="behind"} 1'),
  );
  await stream[Symbol.asyncDispose]();
  await untilNobody(live);
  assertEquals(live.incidents, []);
});

Deno.test("a reader that takes nothing for very long is taken for gone", async () => {
  await using live = await LiveGateway.start({ HEARTBEAT_MS: "100", IDLE_MS: "200" });
  const current = "x".repeat(1_000);
  for (let i = 0; i < 24; i++) {
    const events = Array.from(
      { length: 500 },
      (_, n) => eventOf(`job${n}`, "progress", { completed: i, current }),
    );
    await live.append(...events);
  }
  await using stream = await streamOf(live, "topics=task:progress&replay=all");
  stream.pause();
  await untilNobody(live);
  stream.resume();
  await stream.until("its end", () => stream.isOver);
});

Deno.test("streams count among the handshakes of their address", async () => {
  await using live = await LiveGateway.start({ HANDSHAKES_PER_SECOND: "1", HANDSHAKES_BURST: "2" });
  await using _socket = await live.connect();
  await using _stream = await streamOf(live);
  const { status, headers } = await refusal(live, TOPICS);
  assertEquals([status, headers.get("retry-after")], [429, "1"]);
  const metrics = await live.telemetry.metrics();
  assert(metrics.includes('taskwire_refused_total{limit="HANDSHAKES_PER_SECOND"} 1'));
});
