import { assert, assertEquals } from "@std/assert";
import { backTest } from "../../src/examples/back_test.ts";
import { type Candle, readCandles } from "../../src/examples/candle.ts";
import { crossing } from "../../src/examples/crossing.ts";
import { connectPublisher, connectWorker } from "../../src/worker/task_reporter.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { TestClient } from "../websocket_client.ts";

const OPTIONS = { fast: 8, slow: 21, cash: 10_000, fee: 0.001 };

function candlesOf(closes: readonly number[]): Candle[] {
  return closes.map((close, i) => ({
    time: new Date(i * 60_000).toISOString(),
    symbol: "X",
    open: close,
    high: close,
    low: close,
    close,
    volume: 1,
  }));
}

Deno.test("it buys when the fast average crosses the slow one from below, and sells when it crosses back", () => {
  const steps = [
    ...crossing(candlesOf([10, 10, 10, 20, 20, 20, 5]), { fast: 1, slow: 3, cash: 100, fee: 0 }),
  ];
  assertEquals(steps.map(({ signal }) => signal?.side), [
    undefined,
    undefined,
    undefined,
    "buy",
    undefined,
    undefined,
    "sell",
  ]);
  assertEquals(steps.map(({ equity }) => equity), [100, 100, 100, 100, 100, 100, 25]);
  assertEquals(steps.map(({ slow }) => slow), [null, null, 10, 13.333333, 16.666667, 20, 15]);
});

Deno.test("a back-test is a task, and its equity and signals are watched live and read again as they were", async () => {
  await withGateway({}, async (gateway) => {
    const candles = await readCandles();
    const expected = [...crossing(candles.filter(({ symbol }) => symbol === "BTCUSDT"), OPTIONS)];
    await using client = await TestClient.connect(
      `${gateway.wsUrl}/ws?topics=strategy:crossing,task:id:backtest-crossing&batch=1`,
    );
    await client.next("caught_up");
    await using publisher = await connectPublisher(gateway.url);
    await using worker = await connectWorker(gateway.url, { progressIntervalMs: 20 });
    const test = { name: "crossing", symbol: "BTCUSDT", crossing: OPTIONS, perSecond: Infinity };
    const outcome = await backTest({ worker, publisher }, candles, test);
    const trades = expected.filter(({ signal }) => signal !== undefined).length;
    assert(trades >= 4, "there is something to see");
    assertEquals(outcome, { candles: expected.length, trades, equity: expected.at(-1)?.equity });
    const ended = await client.find((frame) =>
      frame.type === "task_status" && frame.data.status === "completed"
    );
    assertEquals(ended.type === "task_status" && ended.data.result, outcome);
    assert(client.of("task_progress").length > 0 && client.of("strategy_update").length > 0);

    await using late = await TestClient.connect(
      `${gateway.wsUrl}/ws/strategy?topics=strategy:crossing&replay=all&batch=1`,
    );
    await late.next("caught_up");
    const told = late.of("strategy_update").map(({ data }) => data);
    assertEquals(
      told.filter(({ key }) => key === "equity").map(({ payload }) => payload),
      expected.map(({ signal: _, ...rest }) => rest),
    );
    assertEquals(
      told.filter(({ key }) => key === "signal").map(({ payload }) => payload),
      expected.flatMap(({ signal }) => signal ?? []),
    );
  });
});
