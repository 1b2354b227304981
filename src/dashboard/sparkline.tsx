import type { JSX } from "preact";
import { sparkRuns } from "./spark_path.ts";
import { SECONDS } from "./traffic.ts";

const WIDTH = 120;
const HEIGHT = 24;

/** The last minute of a quantity as a line, with what it is now. */
export function Sparkline(
  { values, label, now, hint }: {
    readonly values: readonly (number | null)[];
    readonly label: string;
    readonly now: string;
    readonly hint?: string;
  },
): JSX.Element {
  const runs = sparkRuns(values, { slots: SECONDS, width: WIDTH, height: HEIGHT });
  return (
    <figure class="spark" title={hint ?? label}>
      <svg
        viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}: ${now}`}
      >
        {runs.map((points) => <polyline key={points} points={points} />)}
      </svg>
      <figcaption aria-hidden="true">
        <span>{label}</span> <b>{now}</b>
      </figcaption>
    </figure>
  );
}
