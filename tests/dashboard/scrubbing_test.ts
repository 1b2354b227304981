import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { clamped, latestOnly, neighbour, rangeOf, share, ticks } from "../../src/dashboard/scrubbing.ts";

Deno.test("a range is never empty and never runs backwards, and holds every position that is clamped to it", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), fc.double({ noNaN: true, min: -1e9, max: 1e9 }), (a, b, at) => {
      const range = rangeOf(a, b);
      assert(range.first >= 1 && range.last >= range.first);
      const position = clamped(at, range);
      assert(position >= range.first && position <= range.last && Number.isInteger(position));
      assert(share(at, range) >= 0 && share(at, range) <= 1);
    }),
  );
});

Deno.test("the ends of a range are its ends, and one of a single position is at its end", () => {
  assertEquals([share(10, { first: 10, last: 20 }), share(15, { first: 10, last: 20 })], [0, 0.5]);
  assertEquals([share(20, { first: 10, last: 20 }), share(7, { first: 7, last: 7 })], [1, 1]);
});

Deno.test("the neighbour of a position is the next that something happened at", () => {
  const positions = [3, 8, 9];
  assertEquals([neighbour(positions, 5, "before"), neighbour(positions, 5, "after")], [3, 8]);
  assertEquals([neighbour(positions, 8, "before"), neighbour(positions, 8, "after")], [3, 9]);
  assertEquals([neighbour(positions, 3, "before"), neighbour(positions, 9, "after")], [undefined, undefined]);
});

Deno.test("ticks are where something happened, however much did", () => {
  assertEquals(ticks([10, 15, 20, 99], { first: 10, last: 20 }), [0, 0.5, 1]);
  const many = Array.from({ length: 10_000 }, (_, i) => i + 1);
  assert(ticks(many, { first: 1, last: 10_000 }).length <= 401);
});

Deno.test("while one answer is awaited only the newest wish is kept, and only its answer told", async () => {
  const asked: number[] = [];
  const told: unknown[] = [];
  const answers: (() => void)[] = [];
  const { want, stop } = latestOnly((position) => {
    asked.push(position);
    return new Promise<string>((resolve) => answers.push(() => resolve(`at ${position}`)));
  }, (position, answer) => told.push([position, answer]));
  for (const position of [1, 2, 3]) want(position);
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  answers[0]?.();
  await turn();
  answers[1]?.();
  await turn();
  assertEquals([asked, told], [[1, 3], [[3, { value: "at 3" }]]]);
  want(4);
  stop();
  answers[2]?.();
  await turn();
  assertEquals([asked, told.length], [[1, 3, 4], 1], "nobody is told after the end");
});

Deno.test("a failure is told of the position that it was of, and the next wish is asked for", async () => {
  const told: unknown[] = [];
  const { want } = latestOnly(
    (position) => position === 1 ? Promise.reject(new Error("no")) : Promise.resolve(position),
    (position, answer) => told.push([position, "error" in answer ? "error" : answer.value]),
  );
  want(1);
  await new Promise((resolve) => setTimeout(resolve));
  want(2);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(told, [[1, "error"], [2, 2]]);
});
