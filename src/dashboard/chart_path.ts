import type { Candle } from "./channel_model.ts";

/** What a chart is drawn into. */
export type Box = { readonly width: number; readonly height: number };

/** The least and the most of what a chart shows. */
export type Reach = { readonly least: number; readonly most: number };

/** From where to where values reach; a little more where all are the same. */
export function reachOf(values: readonly number[]): Reach {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  if (least > most) return { least: 0, most: 1 };
  if (least < most) return { least, most };
  const room = Math.abs(least) * 0.01 || 1;
  return { least: least - room, most: most + room };
}

/** Where a value lies, from the top. */
export function heightOf(value: number, { least, most }: Reach, height: number): number {
  return round(height * (most - value) / (most - least));
}

/** Where the value with this index lies, from the left: in the middle of its share of the width. */
export function placeOf(index: number, count: number, width: number): number {
  return round(width * (index + 0.5) / count);
}

/** The points of a line through values, as an SVG polyline takes them; one alone is there twice, so that it is a dot. */
export function linePoints(values: readonly number[], reach: Reach, { width, height }: Box): string {
  const points = values.map((value, i) =>
    `${placeOf(i, values.length, width)},${heightOf(value, reach, height)}`
  );
  return (points.length === 1 ? [...points, ...points] : points).join(" ");
}

/** A candle as it is drawn: a line from its high to its low, and a body from what it opened at to what it closed at. */
export type CandleShape = {
  readonly x: number;
  readonly highY: number;
  readonly lowY: number;
  readonly bodyX: number;
  readonly bodyY: number;
  readonly bodyWidth: number;
  readonly bodyHeight: number;
  readonly isUp: boolean;
};

/** The share of its room that a body takes. */
const BODY = 0.7;
/** A body that is a mere line is so high at least. */
const LEAST_HEIGHT = 0.6;

/** The shapes of candles. */
export function candleShapes(
  candles: readonly Candle[],
  reach: Reach,
  { width, height }: Box,
): readonly CandleShape[] {
  const bodyWidth = round(width / candles.length * BODY);
  return candles.map(({ open, high, low, close }, i) => {
    const x = placeOf(i, candles.length, width);
    const [top, bottom] = [Math.max(open, close), Math.min(open, close)];
    const bodyY = heightOf(top, reach, height);
    return {
      x,
      highY: heightOf(high, reach, height),
      lowY: heightOf(low, reach, height),
      bodyX: round(x - bodyWidth / 2),
      bodyY,
      bodyWidth,
      bodyHeight: Math.max(round(heightOf(bottom, reach, height) - bodyY), LEAST_HEIGHT),
      isUp: close >= open,
    };
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
