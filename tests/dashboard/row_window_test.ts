import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { anchored, rowWindow, scrollTo } from "../../src/dashboard/row_window.ts";

const viewports = fc.record({
  scrollPx: fc.integer({ min: -500, max: 2_000_000 }),
  heightPx: fc.integer({ min: 1, max: 3_000 }),
  rowPx: fc.integer({ min: 20, max: 120 }),
});

Deno.test("every row that is seen is in the page, and few that are not", () => {
  fc.assert(fc.property(fc.nat(20_000), viewports, (count, viewport) => {
    const { heightPx, rowPx } = viewport;
    const scrollPx = Math.min(Math.max(viewport.scrollPx, 0), Math.max(count * rowPx - heightPx, 0));
    const { first, end, topPx } = rowWindow(count, viewport);
    assert(first >= 0 && end <= count && first <= end);
    assertEquals(topPx, first * rowPx);
    assert(first * rowPx <= scrollPx, "the first seen");
    assert(end * rowPx >= Math.min(scrollPx + heightPx, count * rowPx), "the last seen");
    assert(end - first <= heightPx / rowPx + 14, "few");
  }));
});

Deno.test("a row that was scrolled to is wholly seen, and one that was seen moves nothing", () => {
  fc.assert(fc.property(fc.nat(10_000), viewports, (index, viewport) => {
    fc.pre(viewport.heightPx >= viewport.rowPx);
    const { rowPx, heightPx } = viewport;
    const top = scrollTo(index, viewport);
    assert(index * rowPx >= top && (index + 1) * rowPx <= top + heightPx);
    assertEquals(scrollTo(index, { ...viewport, scrollPx: top }), top);
  }));
});

Deno.test("what is read stays in place when rows come above it; at the top the new ones are seen", () => {
  assertEquals(anchored(560, 56, 10, 12), 672);
  assertEquals(anchored(560, 56, 10, 7), 392);
  assertEquals(anchored(0, 56, 0, 3), 0);
  assertEquals(anchored(560, 56, 10, -1), 560, "it is gone");
  assertEquals(anchored(56, 56, 10, 0), 0);
});
