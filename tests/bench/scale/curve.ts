import { lineThrough, type Point } from "../fit.ts";
import { precise, whole } from "../numbers.ts";

/** What something costs by how much there is of it. */
export type Curve = {
  readonly title: string;
  /** What `x` counts, and what `y` measures, with its unit. */
  readonly x: string;
  readonly y: string;
  readonly points: readonly Point[];
  /** What one more of `x` costs, in a unit that reads well: `slope * per`. */
  readonly each: { readonly unit: string; readonly per: number };
};

/** One line of Markdown a curve: its points, and the straight line through them. Pure. */
export function rowOf({ title, x, y, points, each }: Curve): string {
  const { slope, intercept, worst } = lineThrough(points);
  const shown = points.map((point) => `${whole(point.x)}: ${amount(point.y)}`).join(" · ");
  const cells = [
    title,
    `${x}: ${y}`,
    shown,
    `${amount(slope * each.per)} ${each.unit}`,
    amount(intercept),
    `${precise(100 * worst)} %`,
  ];
  return `| ${cells.join(" | ")} |`;
}

/** The curves as a table of Markdown. Pure. */
export function tableOf(curves: readonly Curve[]): string {
  return [
    "| | points | measured | each one more | at none | furthest from the line |",
    "|---|---|---|---|---|---|",
    ...curves.map(rowOf),
  ].join("\n");
}

function amount(value: number): string {
  return Math.abs(value) >= 1_000 ? whole(value) : precise(value);
}
