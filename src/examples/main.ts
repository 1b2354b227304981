/** `deno task example candles|back-test`: channels as prices and strategies use them, to be watched in the dashboard. */
import { runningGateway } from "../demo/running_gateway.ts";
import { connectPublisher, connectWorker } from "../worker/task_reporter.ts";
import { backTest } from "./back_test.ts";
import { readCandles } from "./candle.ts";
import { replayCandles } from "./replay_candles.ts";

const PER_SECOND = 1_000;
/** The file is some seconds long; it is replayed again and again until somebody stops it. */
const ROUNDS = 1_000;
const CROSSING = { fast: 8, slow: 21, cash: 10_000, fee: 0.001 };

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

async function example(which: string): Promise<void> {
  const host = Deno.env.get("HOST") ?? "127.0.0.1";
  const port = Deno.env.get("PORT") ?? "8000";
  await using gateway = await runningGateway(`http://${host}:${port}`);
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort());
  const candles = await readCandles();
  await using publisher = await connectPublisher(gateway.url);
  const watch = (topic: string): void => {
    print(`Watch: ${gateway.url}/#/channel/${topic}\n  or:  deno task cli watch ${topic}\n`);
  };
  if (which === "candles") {
    watch("data:candles");
    print(`${PER_SECOND} candles a second until Ctrl-C\n`);
    for (let round = 0; round < ROUNDS && !stop.signal.aborted; round++) {
      await replayCandles(publisher, candles, { perSecond: PER_SECOND, signal: stop.signal });
    }
    return;
  }
  await using worker = await connectWorker(gateway.url, { progressIntervalMs: 200 });
  watch("strategy:crossing");
  print(`Task:  ${gateway.url}/#/task/backtest-crossing\n`);
  const test = { name: "crossing", symbol: "BTCUSDT", crossing: CROSSING, perSecond: 20 };
  const { trades, equity } = await backTest({ worker, publisher }, candles, test);
  print(`${trades} trades, from ${CROSSING.cash} to ${equity}\n`);
}

if (import.meta.main) {
  const [which = ""] = Deno.args;
  if (which !== "candles" && which !== "back-test") {
    print("deno task example candles: 1,000 candles a second\ndeno task example back-test: a strategy\n");
    Deno.exit(2);
  }
  await example(which);
  Deno.exit(0);
}
