import type { JSX } from "preact";
import {
  candleIn,
  type ChannelModel,
  type ChannelValue,
  type Field,
  type Mark,
  numberIn,
} from "./channel_model.ts";
import { type Box, candleShapes, heightOf, linePoints, placeOf, type Reach, reachOf } from "./chart_path.ts";
import { count, moment, quantity, say } from "./reader.ts";

const BOX: Box = { width: 1_000, height: 260 };
/** More candles than that are too thin to be told apart: the newest are shown. */
const MAX_CANDLES = 160;
/** The newest of so many values are a line. */
const MAX_VALUES = 600;

/** What a chart shows: a field of the values of a key. */
export type ChartProps = { readonly model: ChannelModel; readonly of: string; readonly field: Field };

/** The last values of a key as a line, or as candles where they are some, with the numbers that a reader needs beside it. */
export function Chart({ model, of, field }: ChartProps): JSX.Element | null {
  const whole = model.series(of).filter(({ payload }) => numberIn(payload, field) !== undefined);
  const candles = field === "close" ? candlesOf(whole.slice(-MAX_CANDLES)) : undefined;
  const points = whole.slice(candles === undefined ? -MAX_VALUES : -MAX_CANDLES);
  const values = points.flatMap(({ payload }) => numberIn(payload, field) ?? []);
  const [first, last] = [points[0], points.at(-1)];
  const now = values.at(-1);
  if (first === undefined || last === undefined || now === undefined) return null;
  const reach = reachOf(candles === undefined ? values : candles.flatMap(({ high, low }) => [high, low]));
  const name = [of, field].filter((part) => part !== "").join(" · ") || say("value");
  const [least, most] = [quantity(reach.least), quantity(reach.most)];
  const words = say("chartWords", { now: quantity(now), least, most, values: count(values.length) });
  const marks = model.marks(points);
  return (
    <figure class="chart" data-chart={field}>
      <figcaption aria-hidden="true">
        <span>{name}</span> <b>{quantity(now)}</b>
        {marks.length === 0 ? null : (
          <small>
            <i class="buy">●</i> {say("buy")} <i class="sell">■</i> {say("sell")}
          </small>
        )}
      </figcaption>
      <div class="plot">
        <svg
          viewBox={`0 -2 ${BOX.width} ${BOX.height + 4}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${name}: ${words}`}
        >
          {[0, 0.25, 0.5, 0.75, 1].map((share) => (
            <line
              key={share}
              class="grid"
              x1={0}
              x2={BOX.width}
              y1={share * BOX.height}
              y2={share * BOX.height}
            />
          ))}
          {candles === undefined
            ? <polyline class="line" points={linePoints(values, reach, BOX)} />
            : candleShapes(candles, reach, BOX).map((shape, i) => (
              <g key={i} class={shape.isUp ? "up" : "down"}>
                <line x1={shape.x} x2={shape.x} y1={shape.highY} y2={shape.lowY} />
                <rect x={shape.bodyX} y={shape.bodyY} width={shape.bodyWidth} height={shape.bodyHeight} />
              </g>
            ))}
          <Marks marks={marks} values={values} reach={reach} />
        </svg>
        <div class="scale" aria-hidden="true">
          <span>{most}</span>
          <span>{quantity((reach.most + reach.least) / 2)}</span>
          <span>{least}</span>
        </div>
      </div>
      <p class="ends" aria-hidden="true">
        <span>{timeOf(first)}</span>
        <span>{timeOf(last)}</span>
      </p>
    </figure>
  );
}

/** Where something was bought, round, and where it was sold, square. */
function Marks(
  { marks, values, reach }: {
    readonly marks: readonly Mark[];
    readonly values: readonly number[];
    readonly reach: Reach;
  },
): JSX.Element {
  return (
    <>
      {marks.map(({ index, side }) => {
        const x = placeOf(index, values.length, BOX.width);
        const at = `${x},${heightOf(values[index] ?? 0, reach, BOX.height)}`;
        return <polyline key={index} class={`mark ${side}`} points={`${at} ${at}`} />;
      })}
    </>
  );
}

function candlesOf(values: readonly ChannelValue[]) {
  const candles = values.flatMap(({ payload }) => candleIn(payload) ?? []);
  return candles.length === values.length && candles.length > 0 ? candles : undefined;
}

/** The time that a value names, or else when it was published. */
function timeOf({ payload, atMs }: ChannelValue): string {
  const named = typeof payload === "object" && payload !== null && "time" in payload
    ? payload.time
    : undefined;
  const isTime = typeof named === "string" && !Number.isNaN(Date.parse(named));
  return moment(isTime ? named : new Date(atMs).toISOString());
}
