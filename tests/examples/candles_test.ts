import { assert, assertEquals } from "@std/assert";
import { type Candle, parseCandles, printCandles, readCandles } from "../../src/examples/candle.ts";
import { generateCandles, SEED } from "../../src/examples/generate_candles.ts";
import { replayCandles } from "../../src/examples/replay_candles.ts";
import { connectPublisher } from "../../src/worker/task_reporter.ts";
import { eventually } from "../eventually.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { startNatsServer } from "../nats_server.ts";
import { TestClient } from "../websocket_client.ts";

const PER_SECOND = 1_000;
const HZ = 5;

Deno.test("the file of candles is what its generator makes of its seed, and reads back", async () => {
  const candles = await readCandles();
  assertEquals(candles, generateCandles(SEED));
  assertEquals(parseCandles(printCandles(candles)), candles);
  assert(
    candles.every(({ open, high, low, close }) =>
      high >= Math.max(open, close) && low <= Math.min(open, close)
    ),
  );
  assertEquals(new Set(candles.map(({ symbol }) => symbol)).size, 6);
});

/** The last candle of each symbol. */
function lasts(candles: readonly Candle[]): ReadonlyMap<string, unknown> {
  return new Map(candles.map(({ symbol, ...payload }) => [symbol, payload]));
}

function lastTold(client: TestClient): ReadonlyMap<string, unknown> {
  return new Map(client.of("data_update").map(({ data }) => [data.key ?? "", data.payload]));
}

for (const way of ["http", "nats"] as const) {
  Deno.test(`1,000 candles a second by ${way}: who asks for 5 Hz gets 5 flushes a second, and the last of each symbol`, async () => {
    await using nats = way === "nats" ? await startNatsServer() : undefined;
    await withGateway({ settings: nats === undefined ? {} : { NATS_URL: nats.url } }, async (gateway) => {
      await using slow = await TestClient.connect(`${gateway.wsUrl}/ws/data?batch=1`);
      await slow.request("subscribe", { topics: ["data:candles"], max_rate_hz: HZ });
      await slow.next("caught_up");
      await using whole = await TestClient.connect(`${gateway.wsUrl}/ws/data?batch=1&topics=data:candles`);
      await whole.next("caught_up");
      const candles = (await readCandles()).slice(0, 1_200);
      await using publisher = await connectPublisher(nats?.url ?? gateway.url);
      const before = slow.counts.messages;
      const tookMs = await replayCandles(publisher, candles, { perSecond: PER_SECOND });
      for (const client of [slow, whole]) {
        await eventually("the last of each symbol came", () => {
          const told = lastTold(client);
          return [...lasts(candles)].every(([symbol, payload]) =>
            JSON.stringify(told.get(symbol)) === JSON.stringify(payload)
          );
        });
      }
      assertEquals(lastTold(slow), lasts(candles));
      // One at once, one each 200 ms, and the one that comes after the last; a busy machine makes them fewer.
      const flushes = slow.counts.messages - before;
      assert(flushes >= 2 && flushes <= tookMs / 1_000 * HZ + 3, `${flushes} flushes in ${tookMs} ms`);
      assert(slow.of("data_update").length < candles.length / 2, "most values are never sent to it");
      assertEquals(
        await gateway.metric("taskwire_channel_updates_total"),
        candles.length,
        "the log has them all",
      );
    });
  });
}
