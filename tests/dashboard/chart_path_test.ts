import { assertEquals } from "@std/assert";
import { candleShapes, linePoints, reachOf } from "../../src/dashboard/chart_path.ts";

const BOX = { width: 100, height: 10 };

Deno.test("the least lies at the bottom and the most at the top, and what never changes in the middle", () => {
  assertEquals(linePoints([1, 3, 2], reachOf([1, 3, 2]), BOX), "16.67,10 50,0 83.33,5");
  assertEquals(linePoints([7], reachOf([7]), BOX), "50,5 50,5");
  assertEquals(reachOf([0, 0]), { least: -1, most: 1 });
  assertEquals(reachOf([]), { least: 0, most: 1 });
});

Deno.test("a candle reaches from its low to its high, its body from what it opened at to its close", () => {
  const candles = [{ open: 2, high: 5, low: 0, close: 4 }, { open: 4, high: 4, low: 4, close: 4 }];
  const reach = { least: 0, most: 5 };
  const [up, flat] = candleShapes(candles, reach, BOX);
  assertEquals(up, {
    x: 25,
    highY: 0,
    lowY: 10,
    bodyX: 7.5,
    bodyY: 2,
    bodyWidth: 35,
    bodyHeight: 4,
    isUp: true,
  });
  assertEquals([flat?.bodyY, flat?.bodyHeight], [2, 0.6], "a mere line is seen too");
});
