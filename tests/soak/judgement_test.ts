import { assert, assertEquals } from "@std/assert";
import { Chance } from "../simulation/chance.ts";
import { judge, memoryTrends } from "./judgement.ts";
import type { Sample } from "./sample.ts";

const MB = 1_048_576;
const MINUTE_MS = 60_000;
/** Between two low waters. */
const EVERY_MS = 55_000;
const EXPECTED = { warmUpMs: 6 * MINUTE_MS, bytesPerHour: MB, more: 8 };

/** What would be seen of a gateway at low water in 30 minutes. `heap` and `rss` in MB by the minute; the rest stays as it is. */
function seen(
  of:
    & { readonly heap?: (minute: number) => number; readonly rss?: (minute: number) => number }
    & Partial<
      Record<"handles" | "threads" | "timers", (minute: number) => number>
    >,
): Sample[] {
  const still = (value: number) => () => value;
  const { heap = still(50), rss = still(150), handles = still(80), threads = still(9), timers = still(70) } =
    of;
  return Array.from({ length: Math.floor(30 * MINUTE_MS / EVERY_MS) }, (_, i) => {
    const minute = i * EVERY_MS / MINUTE_MS;
    return {
      atMs: i * EVERY_MS,
      heap: heap(minute) * MB,
      rss: rss(minute) * MB,
      handles: handles(minute),
      threads: threads(minute),
      timers: timers(minute),
      connections: 40,
      tasks: 1_000,
      lateMs: 3,
      lag: 0,
    };
  });
}

function bad(samples: readonly Sample[]): string[] {
  return judge(samples, EXPECTED).filter(({ isGood }) => !isGood).map(({ what }) => what.split(":")[0] ?? "");
}

/** What comes and goes with the load, MB: never less than none. */
function noise(seed: number, most: number): () => number {
  const chance = new Chance(seed);
  return () => chance.next() * most;
}

Deno.test("a gateway whose memory swings is not taken for one that leaks, but for one in forty or so", () => {
  let taken = 0;
  for (let seed = 0; seed < 100; seed++) {
    const [heap, rss] = [noise(seed, 2), noise(seed + 100, 10)];
    if (bad(seen({ heap: () => 50 + heap(), rss: () => 150 + rss() })).length > 0) taken++;
  }
  assert(taken <= 10, `${taken} of 100`);
  const saw = (minute: number) => 50 + (minute * 3) % 5;
  assertEquals(bad(seen({ heap: saw })), [], "what fills and is emptied again");
});

Deno.test("what is filled during the warm-up is not taken for a leak", () => {
  const filled = (minute: number) => 50 + 10 * Math.min(5, minute);
  assertEquals(bad(seen({ heap: filled, rss: filled })), []);
});

Deno.test("a leak of a few MB an hour is found though memory swings", () => {
  for (let seed = 0; seed < 20; seed++) {
    const more = noise(seed, 1);
    const leaking = (minute: number) => 50 + more() + 4 * minute / 60;
    assertEquals(bad(seen({ heap: leaking })), ["heap after a collection"]);
    assertEquals(bad(seen({ rss: leaking })), ["resident memory"]);
  }
});

Deno.test("a trend is told with its error, and holes in what was seen do not count", () => {
  const samples = seen({ heap: (minute) => Math.floor(minute) % 7 === 0 ? NaN : 50 + 3 * minute / 60 });
  const { heap, rss } = memoryTrends(samples, EXPECTED.warmUpMs);
  assert(
    Math.abs(heap.perHour / MB - 3) < 0.001 && heap.error / MB < 0.001,
    `${heap.perHour} ± ${heap.error}`,
  );
  assertEquals([rss.perHour, rss.error], [0, 0]);
});

Deno.test("handles, threads and timers that are more in the end than in the beginning are found, those that come and go are not", () => {
  for (const measure of ["handles", "threads", "timers"] as const) {
    const swinging = noise(7, 20);
    assertEquals(bad(seen({ [measure]: () => 80 + swinging() })), []);
    assertEquals(bad(seen({ [measure]: (minute: number) => 80 + 2 * minute })), [measure]);
  }
});

Deno.test("of a run without samples after the warm-up nothing good is said", () => {
  assertEquals(bad(seen({}).slice(0, 8)).slice(0, 2), ["heap after a collection", "resident memory"]);
});
