/**
 * The points of a line through values, `null` where there is none: `x,y` pairs for an SVG polyline, one text a run. A value
 * alone is there twice, so that round ends make a dot of it.
 */
export function sparkRuns(
  values: readonly (number | null)[],
  { slots, width, height }: { readonly slots: number; readonly width: number; readonly height: number },
): readonly string[] {
  const most = Math.max(1, ...values.map((value) => value ?? 0));
  const shown = values.slice(-slots);
  const step = width / Math.max(slots - 1, 1);
  const runs: string[][] = [[]];
  shown.forEach((value, i) => {
    if (value === null) {
      runs.push([]);
      return;
    }
    const x = width - (shown.length - 1 - i) * step;
    const y = height - (value / most) * height;
    runs.at(-1)?.push(`${round(x)},${round(y)}`);
  });
  return runs.filter((run) => run.length > 0).map((run) =>
    (run.length === 1 ? [...run, ...run] : run).join(" ")
  );
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
