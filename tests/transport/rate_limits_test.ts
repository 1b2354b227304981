import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Rate } from "../../src/connection/rate_limit.ts";
import { RateLimits } from "../../src/transport/rate_limits.ts";

/** Limits by a clock that the test moves. */
class Bench {
  nowMs = 1_000;
  readonly limits: RateLimits;

  constructor(rate: Rate, max?: number) {
    this.limits = new RateLimits(rate, () => this.nowMs, max);
  }

  /** How many of `times` come in. */
  admitted(sender: string, times: number, cost?: number): number {
    return Array.from({ length: times }, () => this.limits.take(sender, cost)).filter((wait) =>
      wait === undefined
    )
      .length;
  }
}

Deno.test("so many come in at once, and then as many as the rate lets", () => {
  const bench = new Bench({ perSecond: 10, burst: 3 });
  assertEquals(bench.admitted("a", 5), 3);
  assertEquals(bench.limits.take("a"), { retryAfterMs: 100 });
  bench.nowMs += 50;
  assertEquals(bench.limits.take("a"), { retryAfterMs: 50 });
  bench.nowMs += 50;
  assertEquals(bench.admitted("a", 5), 1);
  bench.nowMs += 86_400_000;
  assertEquals(bench.admitted("a", 5), 3);
});

Deno.test("what costs more takes more, and what costs more than all of it takes all of it", () => {
  const bench = new Bench({ perSecond: 10, burst: 10 });
  assertEquals(bench.admitted("a", 5, 4), 2);
  assertEquals(bench.limits.take("a", 4), { retryAfterMs: 200 });
  assertEquals(bench.admitted("a", 5), 2);
  bench.nowMs += 999;
  assertEquals(bench.limits.take("a", 100), { retryAfterMs: 1 });
  bench.nowMs += 1;
  assertEquals([bench.limits.take("a", 100), bench.limits.take("a")], [undefined, { retryAfterMs: 100 }]);
});

Deno.test("nobody is held back by another, whatever its name", () => {
  const bench = new Bench({ perSecond: 1, burst: 2 });
  for (const sender of ["a", "b", "", "a ", "__proto__", "constructor"]) {
    assertEquals(bench.admitted(sender, 5), 2, sender);
  }
});

Deno.test("to ask how long one has to wait costs nothing", () => {
  const bench = new Bench({ perSecond: 10, burst: 2 });
  for (let i = 0; i < 10; i++) assertEquals(bench.limits.waitOf("a"), undefined);
  assertEquals(bench.admitted("a", 3), 2);
  assertEquals([bench.limits.waitOf("a"), bench.limits.waitOf("a", 2)], [{ retryAfterMs: 100 }, {
    retryAfterMs: 200,
  }]);
  bench.nowMs += 100;
  for (let i = 0; i < 10; i++) assertEquals(bench.limits.waitOf("a"), undefined);
  assertEquals(bench.admitted("a", 3), 1);
});

Deno.test("what one has cost already is made up for by waiting, at most as long as an empty bucket takes to fill", () => {
  const bench = new Bench({ perSecond: 10, burst: 20 });
  bench.limits.charge("a", 15);
  assertEquals(bench.limits.waitOf("a"), undefined);
  bench.limits.charge("a", 15);
  assertEquals(bench.limits.waitOf("a"), { retryAfterMs: 1_100 });
  assertEquals(bench.limits.take("a"), { retryAfterMs: 1_100 });
  bench.nowMs += 1_100;
  assertEquals(bench.admitted("a", 3), 1);
  for (let i = 0; i < 1_000; i++) bench.limits.charge("a", 15);
  assertEquals(bench.limits.waitOf("a"), { retryAfterMs: 2_100 });
});

Deno.test("who keeps on at what is charged does so at the rate, however it is timed", () => {
  for (const everyMs of [1, 7, 10, 99, 150]) {
    const bench = new Bench({ perSecond: 1_000, burst: 2_000 });
    let tries = 0;
    for (const endMs = bench.nowMs + 60_000; bench.nowMs < endMs; bench.nowMs += everyMs) {
      for (let i = 0; i < 50 && bench.limits.waitOf("a") === undefined; i++) {
        tries++;
        bench.limits.charge("a", 10);
      }
    }
    assert(tries <= (2_000 + 60_000) / 10 + 1, `${tries} every ${everyMs} ms`);
  }
});

Deno.test("past the bound those longest silent are forgotten", () => {
  const bench = new Bench({ perSecond: 1, burst: 1 }, 3);
  for (const sender of ["a", "b", "c"]) assertEquals(bench.admitted(sender, 2), 1);
  assertEquals(bench.admitted("a", 1), 0, "which makes b the longest silent");
  assertEquals(bench.admitted("d", 2), 1);
  assertEquals([bench.admitted("a", 1), bench.admitted("c", 1), bench.admitted("d", 1)], [0, 0, 0]);
  assertEquals(bench.admitted("b", 2), 1);
});

Deno.test("of however many senders no more are remembered than there is room for", () => {
  const bench = new Bench({ perSecond: 1, burst: 1 }, 1_000);
  for (let i = 0; i < 100_000; i++) bench.limits.take(`s${i}`);
  const held = Array.from({ length: 100_000 }, (_, i) => bench.limits.waitOf(`s${i}`)).filter((wait) =>
    wait !== undefined
  );
  assertEquals(held.length, 1_000);
});

Deno.test("whatever is asked when, nobody comes in oftener than its burst and its rate let", () => {
  const step = fc.record({
    sender: fc.constantFrom("a", "b"),
    passMs: fc.nat(200),
    cost: fc.integer({ min: 1, max: 5 }),
    kind: fc.constantFrom("take", "waitOf", "charge"),
  });
  const rate = fc.record({
    perSecond: fc.integer({ min: 1, max: 100 }),
    burst: fc.integer({ min: 5, max: 50 }),
  });
  fc.assert(fc.property(rate, fc.array(step, { maxLength: 80, size: "max" }), (rate, steps) => {
    const bench = new Bench(rate);
    const begunMs = bench.nowMs;
    const spent = new Map([["a", 0], ["b", 0]]);
    for (const { sender, passMs, cost, kind } of steps) {
      bench.nowMs += passMs;
      const foretold = bench.limits.waitOf(sender, cost);
      if (kind === "charge") bench.limits.charge(sender, cost);
      if (kind === "take") {
        const wait = bench.limits.take(sender, cost);
        assertEquals(wait, foretold);
        if (wait === undefined) spent.set(sender, (spent.get(sender) ?? 0) + cost);
        else assert(wait.retryAfterMs > 0);
      }
      const most = rate.burst + (bench.nowMs - begunMs) / 1_000 * rate.perSecond + 1e-6;
      assert((spent.get(sender) ?? 0) <= most);
    }
  }));
});

Deno.test("who may come as often as ever again is forgotten", () => {
  const bench = new Bench({ perSecond: 10, burst: 20 });
  for (let i = 0; i < 1_000; i++) {
    bench.limits.take(`once ${i}`);
    bench.nowMs += 1;
  }
  assert(bench.limits.size <= 101, `${bench.limits.size} are remembered`);
  bench.limits.charge("bad", 40);
  bench.nowMs += 3_999;
  bench.limits.take("good");
  assertEquals([bench.limits.size, bench.limits.waitOf("bad", 20)], [2, { retryAfterMs: 1 }]);
  bench.nowMs += 101;
  bench.limits.take("another");
  assertEquals(bench.limits.size, 1);
});
