import type { Candle } from "./candle.ts";

/** Averages over so many candles, what is begun with, and what a trade costs as a share of it. */
export type CrossingOptions = {
  readonly fast: number;
  readonly slow: number;
  readonly cash: number;
  readonly fee: number;
};

/** That it bought or sold. */
export type Signal = {
  readonly time: string;
  readonly side: "buy" | "sell";
  readonly price: number;
  /** How many it bought or sold. */
  readonly quantity: number;
};

/** What a candle led to; the averages are null until there are enough candles. */
export type Step = {
  readonly time: string;
  readonly close: number;
  readonly fast: number | null;
  readonly slow: number | null;
  /** What cash and holdings are worth at this candle's close. */
  readonly equity: number;
  readonly signal: Signal | undefined;
};

/**
 * The oldest strategy there is: buys all it can when the fast average of closes crosses the slow one from below, and sells all when
 * it crosses back. The same candles lead to the same steps.
 */
export function* crossing(candles: Iterable<Candle>, options: CrossingOptions): Generator<Step> {
  const { fast: fastLength, slow: slowLength, fee } = options;
  let { cash } = options;
  let held = 0;
  const closes: number[] = [];
  for (const { time, close } of candles) {
    closes.push(close);
    if (closes.length > slowLength) closes.shift();
    const slow = closes.length < slowLength ? null : average(closes);
    const fast = closes.length < fastLength ? null : average(closes.slice(-fastLength));
    let signal: Signal | undefined;
    if (fast !== null && slow !== null && fast > slow && held === 0) {
      const quantity = cash / (close * (1 + fee));
      [held, cash] = [quantity, 0];
      signal = { time, side: "buy", price: close, quantity: rounded(quantity) };
    } else if (fast !== null && slow !== null && fast < slow && held > 0) {
      signal = { time, side: "sell", price: close, quantity: rounded(held) };
      [cash, held] = [held * close * (1 - fee), 0];
    }
    const equity = rounded(cash + held * close);
    yield { time, close, fast: roundedOrNull(fast), slow: roundedOrNull(slow), equity, signal };
  }
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function roundedOrNull(value: number | null): number | null {
  return value === null ? null : rounded(value);
}

function rounded(value: number): number {
  return Number(value.toPrecision(8));
}
