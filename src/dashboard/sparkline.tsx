import type { JSX } from "preact";
import { say } from "./reader.ts";
import { sparkRuns } from "./spark_path.ts";
import { SECONDS } from "./traffic.ts";

const WIDTH = 120;
const HEIGHT = 24;

/** What a sparkline shows: `null` where there was none of it. */
export type SparklineProps = {
  readonly label: string;
  readonly values: readonly (number | null)[];
  readonly now: number | null;
  /** How the quantity is written. */
  readonly write: (value: number) => string;
  readonly hint?: string;
};

/** The last minute of a quantity as a line, with what it is now. */
export function Sparkline({ label, values, now, write, hint = label }: SparklineProps): JSX.Element {
  const some = values.filter((value) => value !== null);
  const most = some.length === 0 ? say("sparkNone") : say("sparkMost", { most: write(Math.max(...some)) });
  const words = some.length === 0
    ? most
    : say("spark", { now: now === null ? say("sparkNothing") : write(now), most });
  const runs = sparkRuns(values, { slots: SECONDS, width: WIDTH, height: HEIGHT });
  return (
    <figure class="spark" title={hint}>
      <svg
        viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}: ${words}`}
      >
        <line x1={0} x2={WIDTH} y1={HEIGHT} y2={HEIGHT} />
        {runs.map((points) => <polyline key={points} points={points} />)}
      </svg>
      <figcaption aria-hidden="true">
        <span>{label}</span> <b>{now === null ? "—" : write(now)}</b> <small>{most}</small>
      </figcaption>
    </figure>
  );
}
