import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Bucket, type Rate, take } from "../../src/connection/rate_limit.ts";

const RATE: Rate = { perSecond: 50, burst: 100 };
const FULL: Bucket = { tokens: 100, atMs: 0 };

const rate: fc.Arbitrary<Rate> = fc.record({
  perSecond: fc.integer({ min: 1, max: 100_000 }),
  burst: fc.integer({ min: 1, max: 1_000 }),
});

Deno.test("a full bucket gives its burst at once and then says when there is more", () => {
  let bucket = FULL;
  for (let i = 0; i < 100; i++) {
    const taken = take(bucket, RATE, 1, 0);
    assertEquals(taken.retryAfterMs, undefined);
    bucket = taken.bucket;
  }
  assertEquals(take(bucket, RATE, 1, 0).retryAfterMs, 20);
  assertEquals(take(bucket, RATE, 5, 0).retryAfterMs, 100);
  assertEquals(take(bucket, RATE, 1, 20).retryAfterMs, undefined);
});

Deno.test("whoever waits as long as it was told is served", () => {
  const cost = fc.integer({ min: 1, max: 20 });
  const steps = fc.array(fc.tuple(cost, fc.nat(50)), { maxLength: 50, size: "max" });
  fc.assert(fc.property(rate, steps, (rate, steps) => {
    let bucket: Bucket = { tokens: rate.burst, atMs: 0 };
    let nowMs = 0;
    for (const [cost, passMs] of steps) {
      nowMs += passMs;
      const taken = take(bucket, rate, cost, nowMs);
      bucket = taken.bucket;
      if (taken.retryAfterMs === undefined) continue;
      assert(taken.retryAfterMs > 0);
      nowMs += taken.retryAfterMs;
      const again = take(bucket, rate, cost, nowMs);
      assertEquals(again.retryAfterMs, undefined, `cost ${cost} at ${nowMs}`);
      bucket = again.bucket;
    }
  }));
});

Deno.test("nobody takes more than the burst and what has flowed in since", () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 10 }), fc.nat(100)), {
    maxLength: 80,
    size: "max",
  });
  fc.assert(fc.property(rate, steps, (rate, steps) => {
    let bucket: Bucket = { tokens: rate.burst, atMs: 0 };
    let nowMs = 0;
    let spent = 0;
    for (const [cost, passMs] of steps) {
      nowMs += passMs;
      const taken = take(bucket, rate, Math.min(cost, rate.burst), nowMs);
      bucket = taken.bucket;
      if (taken.retryAfterMs === undefined) spent += Math.min(cost, rate.burst);
      assert(bucket.tokens >= 0 && bucket.tokens <= rate.burst);
      assert(spent <= rate.burst + nowMs / 1000 * rate.perSecond + 1e-6, `${spent} by ${nowMs} ms`);
    }
  }));
});

Deno.test("what costs more than the bucket holds is served when it is full, not never", () => {
  const small: Rate = { perSecond: 1, burst: 2 };
  const { bucket, retryAfterMs } = take({ tokens: 0, atMs: 0 }, small, 5, 0);
  assertEquals(retryAfterMs, 2_000);
  assertEquals(take(bucket, small, 5, 2_000), { bucket: { tokens: 0, atMs: 2_000 } });
});

Deno.test("a clock that goes back gives nothing and takes nothing", () => {
  const { bucket } = take({ tokens: 1, atMs: 10_000 }, RATE, 1, 4_000);
  assertEquals(bucket, { tokens: 0, atMs: 4_000 });
  assertEquals(take(bucket, RATE, 1, 4_000).retryAfterMs, 20);
});
