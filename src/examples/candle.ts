/** What a symbol did in one minute. */
export type Candle = {
  /** When the minute began, RFC 3339 UTC. */
  readonly time: string;
  readonly symbol: string;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
};

const COLUMNS = ["time", "symbol", "open", "high", "low", "close", "volume"] as const;

/** Candles as CSV: a line with the names of the columns, and a line each. */
export function printCandles(candles: readonly Candle[]): string {
  const lines = candles.map((candle) => COLUMNS.map((column) => candle[column]).join(","));
  return [COLUMNS.join(","), ...lines, ""].join("\n");
}

/** The inverse of {@link printCandles}. Throws a SyntaxError that names the line where it is none. */
export function parseCandles(text: string): readonly Candle[] {
  const [head, ...lines] = text.trimEnd().split(/\r?\n/);
  if (head !== COLUMNS.join(",")) throw new SyntaxError(`line 1: must be ${COLUMNS.join(",")}`);
  return lines.map((line, i) => {
    const [time = "", symbol = "", ...numbers] = line.split(",");
    const [open = NaN, high = NaN, low = NaN, close = NaN, volume = NaN] = numbers.map(Number);
    const isWhole = numbers.length === 5 && [open, high, low, close, volume].every(Number.isFinite);
    if (!isWhole || Number.isNaN(Date.parse(time)) || symbol === "") {
      throw new SyntaxError(`line ${i + 2}: ${line}: must be a time, a symbol and five numbers`);
    }
    return { time, symbol, open, high, low, close, volume };
  });
}

/** The candles of the file that is made by `generate_candles.ts`, in the order of time. */
export async function readCandles(
  file: URL = new URL("./candles.csv", import.meta.url),
): Promise<readonly Candle[]> {
  return parseCandles(await Deno.readTextFile(file));
}
