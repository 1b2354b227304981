import { assertEquals } from "@std/assert";
import { SseClient } from "../sse_client.ts";
import { startNatsServer } from "../nats_server.ts";
import { type Frame, TestClient } from "../websocket_client.ts";
import { BareNats } from "./bare_nats.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";
import { eventually } from "../eventually.ts";

/** The values of channels among these frames, a line each. */
function valuesOf(frames: readonly Frame[]): string[] {
  return frames.flatMap((frame) => {
    if (frame.type !== "data_update" && frame.type !== "strategy_update") return [];
    const { topic, key, payload } = frame.data;
    return [`${topic}${key === undefined ? "" : ` ${key}`} ${JSON.stringify(payload)}`];
  });
}

async function post(gateway: GatewayProcess, body: unknown): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(`${gateway.url}/api/publish`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, answer: await response.json() };
}

/** What holds of channels, whatever the log; `bare` publishes the plainest way there is. */
async function channels(
  gateway: GatewayProcess,
  bare: (subject: string, body: string) => Promise<void>,
): Promise<void> {
  await using live = await TestClient.connect(`${gateway.wsUrl}/ws/data?topics=data:candles`);
  await live.next("caught_up");
  const published = await live.request("publish", {
    topic: "data:candles",
    key: "BTC/USD",
    payload: { close: 1.5 },
  });
  assertEquals(published.type, "published");
  const answered = await post(gateway, { topic: "data:candles", payload: [1, "二"] });
  assertEquals(answered.status, 202);
  await bare("data.candles.ETH", `{"close":7}`);
  await bare("data.candles.BTC%2FUSD", "null");
  const all = [
    `data:candles BTC/USD {"close":1.5}`,
    `data:candles [1,"二"]`,
    `data:candles ETH {"close":7}`,
    `data:candles BTC/USD null`,
  ];
  await eventually("all values came", () => valuesOf(live.frames).length === all.length);
  assertEquals(valuesOf(live.frames), all);

  await using late = await TestClient.connect(`${gateway.wsUrl}/ws?topics=data:candles`);
  await late.next("caught_up");
  assertEquals(valuesOf(late.frames), all.slice(1), "who comes late has the last value of each key");
  await using whole = await TestClient.connect(`${gateway.wsUrl}/ws?topics=data:candles&replay=all`);
  await whole.next("caught_up");
  assertEquals(valuesOf(whole.frames), all, "the history is all of them");
  await using stream = await SseClient.connect(`${gateway.url}/api/stream?topics=data:candles`);
  await eventually("a stream has them too", () => valuesOf(stream.frames).length === 3);

  const { epoch } = (await live.next("welcome")).data;
  const seq = published.type === "published" ? published.data.seq : 0;
  await gateway.leave();
  await gateway.start();
  await using back = await TestClient.connect(
    `${gateway.wsUrl}/ws?topics=data:candles,strategy:s1&since=${epoch}:${seq}`,
  );
  await back.next("caught_up");
  assertEquals(valuesOf(back.frames), all.slice(1), "a cursor is good after a restart");
  await bare("strategy.s1", `{"equity":10250}`);
  await eventually("it is live", () => valuesOf(back.frames).at(-1) === `strategy:s1 {"equity":10250}`);

  const many = await post(gateway, [
    { topic: "data:many", key: "a", payload: 1, event_id: "m1" },
    { topic: "strategy:many", payload: 2 },
    { topic: "data:many", key: "a", payload: 3, event_id: "m1" },
  ]);
  const { results } = many.answer as { results: { seq: number; duplicate: boolean }[] };
  assertEquals([many.status, results.map(({ duplicate }) => duplicate)], [202, [false, false, true]]);
  assertEquals(results[2]?.seq, results[0]?.seq, "one event_id is one value");
  const half = await post(gateway, [{ topic: "data:many", payload: 4 }, { topic: "nothing:a", payload: 5 }]);
  assertEquals(half.status, 404);
  assertEquals((half.answer as { detail: string }).detail, "1: no such channel: nothing:a");
  await eventually("they are listed", async () => {
    const { channels, total } = await gateway.get("/api/channels") as {
      total: number;
      channels: { topic: string; keys: number }[];
    };
    return total === 4 &&
      channels.map(({ topic, keys }) => `${topic} ${keys}`).join() ===
        "strategy:many 1,data:many 1,strategy:s1 1,data:candles 3";
  });
  assertEquals(await gateway.metric("taskwire_channel_values"), 6);
  assertEquals(await gateway.metric("taskwire_channel_updates_total"), 3);

  const refusals = [
    [{ topic: "data:a b", payload: 1 }, 404, "TOPIC_NOT_FOUND"],
    [{ topic: "task:status", payload: 1 }, 404, "TOPIC_NOT_FOUND"],
    [{ topic: "nothing:a", payload: 1 }, 404, "TOPIC_NOT_FOUND"],
    [{ topic: "data:a" }, 400, "INVALID_MESSAGE"],
    [{ topic: "data:a", key: "a b", payload: 1 }, 400, "INVALID_MESSAGE"],
    [{ topic: "data:a", key: "\u{1f600}".repeat(128), payload: 1 }, 400, "INVALID_MESSAGE"],
    [{ topic: "data:a", payload: "x".repeat(65_536) }, 400, "INVALID_MESSAGE"],
  ] as const;
  for (const [body, status, code] of refusals) {
    const { status: was, answer } = await post(gateway, body);
    assertEquals([was, (answer as { code: string }).code], [status, code], JSON.stringify(body).slice(0, 80));
  }
  await using elsewhere = await TestClient.connect(`${gateway.wsUrl}/ws/strategy`);
  const refused = await elsewhere.request("publish", { topic: "data:a", payload: 1 });
  assertEquals(refused.type === "error" && refused.error.code, "TOPIC_NOT_FOUND");
}

Deno.test("values of channels: the embedded log", async () => {
  await withGateway({}, async (gateway) => {
    await channels(gateway, async (subject, body) => {
      // The embedded log has nobody who writes past the gateway: the same by its subjects' names.
      const [space = "", name = "", ...rest] = subject.split(".");
      const key = rest.length === 1 ? decodeURIComponent(rest[0] ?? "") : undefined;
      const { status } = await post(gateway, {
        topic: `${space}:${name}`,
        ...(key === undefined ? {} : { key }),
        payload: JSON.parse(body),
      });
      assertEquals(status, 202);
    });
  });
});

for (const scheme of ["nats", "ws"] as const) {
  Deno.test(`values of channels: ${scheme}://`, async () => {
    await using server = await startNatsServer({ websocket: true });
    const url = scheme === "nats" ? server.url : server.wsUrl;
    await withGateway({ settings: { NATS_URL: url } }, async (gateway) => {
      await using nats = await BareNats.connect(server.url);
      await channels(gateway, async (subject, body) => {
        nats.publish(`taskwire.${subject}`, body);
        await nats.flush();
      });
      nats.publish("taskwire.data.candles.a.b", "1");
      nats.publish("taskwire.data.candles", "no JSON");
      await nats.flush();
      await eventually("what is no value is listed", async () => {
        const { items } = await gateway.get("/api/rejected") as { items: { reason: string }[] };
        return items.length === 2;
      });
    });
  });
}
