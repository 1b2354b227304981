/** `deno task candles [seed]`: writes candles.csv anew, the same for the same seed. */
import { type Candle, printCandles } from "./candle.ts";

/** What the symbols begin at. */
const SYMBOLS = { BTCUSDT: 42_000, ETHUSDT: 2_300, SOLUSDT: 98, BNBUSDT: 310, XRPUSDT: 0.62, ADAUSDT: 0.58 };
/** The seed of the committed file. */
export const SEED = 20_240_101;
const MINUTES = 400;
const START_MS = Date.parse("2024-01-01T00:00:00Z");
/** How far a price goes in a minute, as a share of it: some 0.2 %. */
const STEP = 0.002;

/** Six symbols for 400 minutes: prices that wander, with trends that come and go, as prices do. Pure. */
export function generateCandles(seed: number): readonly Candle[] {
  const random = chance(seed);
  const states = Object.entries(SYMBOLS).map(([symbol, price]) => ({ symbol, price, trend: 0 }));
  return Array.from({ length: MINUTES }, (_, minute) => {
    const time = new Date(START_MS + minute * 60_000).toISOString();
    return states.map((state) => {
      const open = state.price;
      state.trend = 0.97 * state.trend + 0.06 * STEP * normal(random);
      const close = open * Math.exp(state.trend + STEP * 0.5 * normal(random));
      const reach = (): number => 1 + STEP * 0.4 * random();
      const [high, low] = [Math.max(open, close) * reach(), Math.min(open, close) / reach()];
      state.price = close;
      const volume = Math.round(1_000 * (0.5 + random()) * (1 + 40 * Math.abs(close / open - 1)));
      const { symbol } = state;
      return {
        time,
        symbol,
        open: rounded(open),
        high: rounded(high),
        low: rounded(low),
        close: rounded(close),
        volume,
      };
    });
  }).flat();
}

/** Six digits that count. */
function rounded(price: number): number {
  return Number(price.toPrecision(6));
}

/** Numbers in [0, 1) that follow from a seed: Mulberry32, by Tommy Ettinger, public domain. */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed = (mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61)) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 4_294_967_296;
  };
}

/** About normal, of mean 0 and deviation 1: the sum of twelve even ones, which every machine rounds alike. */
function normal(random: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
}

if (import.meta.main) {
  const seed = Number(Deno.args[0] ?? SEED);
  if (!Number.isSafeInteger(seed)) {
    throw new RangeError(`The seed must be a whole number, is ${Deno.args[0]}`);
  }
  await Deno.writeTextFile(new URL("./candles.csv", import.meta.url), printCandles(generateCandles(seed)));
}
