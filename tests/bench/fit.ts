/** A point of a curve. */
export type Point = { readonly x: number; readonly y: number };

/** The straight line that lies closest to some points. */
export type Line = {
  readonly slope: number;
  /** At x = 0. */
  readonly intercept: number;
  /** How far the point furthest from the line is from it, as a share of the largest y. */
  readonly worst: number;
};

/** The line through `points` with the least sum of squared distances in y; NaN of fewer than two different x. */
export function lineThrough(points: readonly Point[]): Line {
  const mean = (of: (point: Point) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)];
  const slope = mean((point) => (point.x - x) * (point.y - y)) / mean((point) => (point.x - x) ** 2);
  const intercept = y - slope * x;
  const largest = Math.max(...points.map((point) => Math.abs(point.y)));
  const far = Math.max(...points.map((point) => Math.abs(point.y - intercept - slope * point.x)));
  return { slope, intercept, worst: far / largest };
}
