import { assert, assertEquals } from "@std/assert";
import { lineThrough } from "./fit.ts";

Deno.test("points on a line give that line, whatever their order", () => {
  const points = [5, 1, 3, 20].map((x) => ({ x, y: 7 - 2 * x }));
  assertEquals(lineThrough(points), { slope: -2, intercept: 7, worst: 0 });
});

Deno.test("points beside a line give the one in their middle, and how far the furthest is from it", () => {
  const line = lineThrough([{ x: 0, y: 1 }, { x: 0, y: -1 }, { x: 10, y: 11 }, { x: 10, y: 9 }]);
  assertEquals([line.slope, line.intercept], [1, 0]);
  assert(Math.abs(line.worst - 1 / 11) < 1e-12);
});

Deno.test("one point, or points above one another, give no line", () => {
  for (const xs of [[1], [2, 2, 2]]) {
    assert(Number.isNaN(lineThrough(xs.map((x, y) => ({ x, y }))).slope));
  }
});
