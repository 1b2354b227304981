import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Delivery } from "../../src/projection/delivery.ts";
import { Tail, type TailBounds } from "../../src/projection/tail.ts";
import { record, toldBy } from "./events.ts";

/** Deliveries at these positions. */
function deliveries(seqs: readonly number[], bytes = 100): Delivery[] {
  return toldBy(seqs.map((seq) => record(seq, "t0", "progress", { completed: seq })))
    .map((delivery) => ({ ...delivery, bytes }));
}

function filled(bounds: TailBounds, all: readonly Delivery[], floor = 0): Tail {
  const tail = new Tail(bounds, floor);
  for (const delivery of all) tail.push(delivery);
  return tail;
}

Deno.test("a tail keeps nearly all of its bounds, and from its floor on none is missing", () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 60, size: "max" });
  fc.assert(fc.property(gaps, fc.nat(40), fc.nat(40), fc.nat(80), (steps, maxEvents, maxKept, after) => {
    let seq = 0;
    const all = deliveries(steps.map((step) => seq += step));
    const tail = filled({ maxEvents, maxBytes: maxKept * 100 }, all);
    const most = Math.min(all.length, maxEvents, maxKept);
    assert(tail.size <= most && tail.size >= Math.floor(most * 15 / 16) - 2, `${tail.size} of ${most}`);
    assertEquals(tail.bytes, tail.size * 100);
    assertEquals(tail.floor, all[all.length - tail.size - 1]?.seq ?? 0);
    const from = Math.max(after, tail.floor);
    const rest = tail.after(from).flatMap((block) => block.deliveries).filter((one) => one.seq > from);
    assertEquals(rest, all.filter((one) => one.seq > from));
    for (const block of tail.after(from)) assert(block.lastSeq > from);
  }));
});

Deno.test("what came long ago is let go of, however much has come", () => {
  const tail = new Tail({ maxEvents: 100, maxBytes: 1e9 }, 0);
  const [one] = deliveries([1]);
  assert(one !== undefined);
  for (let seq = 1; seq <= 100_000; seq++) tail.push({ ...one, seq });
  assert(
    tail.size <= 100 && tail.size > 90 && tail.floor === 100_000 - tail.size,
    `${tail.size} ${tail.floor}`,
  );
});

Deno.test("a delivery weighs what its texts do, so that large results do not outgrow the bound", () => {
  const [small, large, odd] = toldBy([
    record(1, "t0", "completed", { result: 1 }),
    record(2, "t1", "completed", { result: { rows: ["x".repeat(60_000)] } }),
    record(3, "t2", "failed", { error: "y".repeat(16_000), progress: { current: "z".repeat(4_000) } }),
  ]);
  assert(small !== undefined && large !== undefined && odd !== undefined);
  assert(small.bytes < 2_500, `${small.bytes}`);
  assert(large.bytes > 2 * 60_000, `${large.bytes}`);
  assert(odd.bytes > 2 * 20_000, `${odd.bytes}`);
  const tail = filled({ maxEvents: 1_000, maxBytes: 500_000 }, Array.from({ length: 50 }, () => large));
  assert(tail.size <= 4 && tail.bytes <= 500_000, `${tail.size} of ${tail.bytes} bytes`);
});
