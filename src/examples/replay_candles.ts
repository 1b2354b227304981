import type { Publisher } from "../worker/task_reporter.ts";
import type { Candle } from "./candle.ts";

/** How candles are replayed. */
export type ReplayOptions = {
  /** So many a second, by the clock: what a late turn left out is made up for. */
  readonly perSecond: number;
  readonly signal?: AbortSignal;
};

/** How often what is due is published, ms. */
const TICK_MS = 10;

/**
 * Publishes candles one after the other to `data:candles`, keyed by their symbol. Resolves with how long it took, ms, when the
 * log has the last one. A log that does not keep up slows it down.
 */
export async function replayCandles(
  publisher: Publisher,
  candles: readonly Candle[],
  { perSecond, signal }: ReplayOptions,
): Promise<number> {
  const startMs = performance.now();
  for (let published = 0; published < candles.length && signal?.aborted !== true;) {
    const dueNow = Math.floor((performance.now() - startMs) / 1_000 * perSecond) + 1;
    for (const candle of candles.slice(published, dueNow)) {
      const { symbol, ...payload } = candle;
      await publisher.send("data:candles", payload, symbol);
      published++;
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await publisher.flush();
  return performance.now() - startMs;
}
