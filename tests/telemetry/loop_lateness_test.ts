import { assert } from "@std/assert";
import { LoopLateness } from "../../src/telemetry/loop_lateness.ts";
import { eventually } from "../eventually.ts";

Deno.test("a turn that takes long is seen as the lateness of a timer", async () => {
  using lateness = new LoopLateness();
  await new Promise((resolve) => setTimeout(resolve, 0));
  const untilMs = performance.now() + 400;
  while (performance.now() < untilMs);
  await eventually("it was noted", () => lateness.peak.read() > 100);
  assert(lateness.peak.read() < 60_000);
});
