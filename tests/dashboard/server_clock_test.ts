import { assertEquals } from "@std/assert";
import { ServerClock } from "../../src/dashboard/server_clock.ts";

const HOUR_MS = 3_600_000;

Deno.test("the frame that came soonest tells the time, whatever came later than it", () => {
  const clock = new ServerClock();
  assertEquals(clock.now(5), undefined);
  clock.heard(1_000_000, 250);
  assertEquals(clock.now(250), 1_000_000);
  clock.heard(1_001_000, 1_150);
  clock.heard(900_000, 1_160);
  assertEquals(clock.now(1_250), 1_001_100);
});

Deno.test("of a clock that drifts only the last half hour or hour counts; a silence forgets nothing", () => {
  const clock = new ServerClock();
  const DRIFT = 1.0005;
  let late = 0;
  for (let ms = 0; ms <= 24 * HOUR_MS; ms += 60_000) {
    clock.heard(ms, ms * DRIFT);
    late = (clock.now(ms * DRIFT) ?? 0) - ms;
  }
  // Half a second in 1,000 s would be 43 s in the whole day.
  assertEquals(late <= HOUR_MS * (DRIFT - 1) + 60, true, `${late} ms`);
  assertEquals(clock.now(24 * HOUR_MS * DRIFT + 5 * HOUR_MS), 29 * HOUR_MS + late);
});
