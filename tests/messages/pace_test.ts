import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { paceMsOf, RATES_HZ } from "../../src/messages/pace.ts";
import { Asking } from "./asking.ts";

Deno.test("there are 28 rates, the steps of R10 from 0.1 to 50 Hz", () => {
  // deno-fmt-ignore
  assertEquals(RATES_HZ, [
    0.1, 0.125, 0.16, 0.2, 0.25, 0.315, 0.4, 0.5, 0.63, 0.8,
    1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8,
    10, 12.5, 16, 20, 25, 31.5, 40, 50,
  ]);
});

Deno.test("a rate is rounded down to a step, and never by more than a fifth and a bit", () => {
  fc.assert(fc.property(fc.double({ min: 0.1, max: 50, noNaN: true }), (hz) => {
    const given = 1000 / paceMsOf(hz);
    assert(given <= hz * (1 + 1e-12) && given > hz / 1.29, `${hz} Hz became ${given} Hz`);
  }));
  for (const hz of RATES_HZ) assertEquals(paceMsOf(hz), 1000 / hz);
});

Deno.test("those who ask for about the same rate get the same", async () => {
  await using asking = await Asking.of([]);
  const topics = ["task:progress"];
  for (const hz of [1, 1.001, 1.199, 1.2499]) {
    assertEquals<unknown>(await asking.ask("subscribe", { topics, max_rate_hz: hz }), {
      kind: "subscribe",
      topics,
      start: { kind: "latest" },
      paceMs: 1000,
    });
  }
});
