import { assertEquals } from "@std/assert";
import { sparkRuns } from "../../src/dashboard/spark_path.ts";

const BOX = { slots: 5, width: 40, height: 10 };

Deno.test("the newest value is at the right edge, and the greatest at the top", () => {
  assertEquals(sparkRuns([0, 5, 10], BOX), ["20,10 30,5 40,0"]);
  assertEquals(sparkRuns([9, 9, 9, 9, 9, 9, 0], BOX), ["0,0 10,0 20,0 30,0 40,10"]);
});

Deno.test("where there is no value there is no line, and a value alone is a dot", () => {
  assertEquals(sparkRuns([2, null, 2, 1], BOX), ["10,0 10,0", "30,0 40,5"]);
  assertEquals(sparkRuns([], BOX), []);
  assertEquals(sparkRuns([0, 0], BOX), ["30,10 40,10"]);
});
