import type { Publisher, Worker } from "../worker/task_reporter.ts";
import type { Candle } from "./candle.ts";
import { crossing, type CrossingOptions } from "./crossing.ts";

/** What is tried out, and under which name: `strategy:<name>`, and the task `backtest-<name>`. */
export type BackTest = {
  readonly name: string;
  readonly symbol: string;
  readonly crossing: CrossingOptions;
  /** So many candles a second; Infinity: as fast as the log takes them. */
  readonly perSecond: number;
};

/** What came of it. */
export type Outcome = { readonly candles: number; readonly trades: number; readonly equity: number };

/**
 * Runs a strategy over the candles of a symbol: a task whose progress is how far it is, and whose equity and signals are values
 * of `strategy:<name>` under the keys `equity` and `signal`.
 */
export async function backTest(
  { worker, publisher }: { readonly worker: Worker; readonly publisher: Publisher },
  candles: readonly Candle[],
  { name, symbol, crossing: options, perSecond }: BackTest,
): Promise<Outcome> {
  const own = candles.filter((candle) => candle.symbol === symbol);
  const topic = `strategy:${name}`;
  const about = {
    name: `Back-test ${name} on ${symbol}`,
    type: "back-test",
    tags: [topic.replace(":", "/")],
  };
  return await worker.run(`backtest-${name}`, { ...about, total: own.length }, async (task) => {
    let [trades, equity] = [0, options.cash];
    for await (const step of task.track([...crossing(own, options)], { label: ({ time }) => time })) {
      task.signal.throwIfAborted();
      const { signal, ...rest } = step;
      if (signal !== undefined) {
        trades++;
        await publisher.send(topic, signal, "signal");
      }
      equity = step.equity;
      await publisher.send(topic, rest, "equity");
      if (perSecond !== Infinity) await new Promise((resolve) => setTimeout(resolve, 1_000 / perSecond));
    }
    await publisher.flush();
    return { candles: own.length, trades, equity };
  });
}
