import { assertEquals } from "@std/assert";
import { Peak } from "../../src/telemetry/peak.ts";

Deno.test("a peak is seen by every reader for a minute, and then forgotten", () => {
  let now = 0;
  const peak = new Peak(() => now);
  peak.note(7);
  peak.note(3);
  assertEquals([peak.read(), peak.read()], [7, 7]);
  now = 60_000;
  assertEquals(peak.read(), 7);
  peak.note(2);
  assertEquals(peak.read(), 7);
  now = 120_000;
  assertEquals([peak.read(), peak.read()], [7, 2]);
  now = 180_000;
  assertEquals([peak.read(), peak.read()], [2, 0]);
});
