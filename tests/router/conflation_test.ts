import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { conflate, type Part } from "../../src/router/conflation.ts";
import { arbitraryLog, toldBy } from "../projection/events.ts";
import { deliveriesOf, progress } from "./deliveries.ts";

const flags = fc.record({
  progress: fc.boolean(),
  status: fc.boolean(),
  list: fc.boolean(),
  whole: fc.boolean(),
});

/** What an audience may hold of any log: some halves of each delivery. */
const parts: fc.Arbitrary<readonly Part[]> = arbitraryLog(["t0", "t1", "t2"], 60)
  .chain((log) => {
    const told = toldBy(log);
    return fc.array(flags, { minLength: told.length, maxLength: told.length }).map((held) =>
      told.flatMap((delivery, i) => {
        const { progress = false, status = false, list = false, whole = false } = held[i] ?? {};
        const part = {
          delivery,
          progress: progress && delivery.progress !== undefined,
          status: status && delivery.status !== undefined,
          list: list && delivery.status !== undefined,
          whole,
        };
        return part.progress || part.status || part.list ? [part] : [];
      })
    );
  });

Deno.test("status changes and list entries all stay, and everything stays in the order of the stream", () => {
  fc.assert(fc.property(parts, (all) => {
    const kept = conflate(all);
    const seqs = kept.map(({ delivery }) => delivery.seq);
    assertEquals(seqs, seqs.toSorted((a, b) => a - b));
    assertEquals(
      kept.filter(({ status }) => status).map(seqOf),
      all.filter(({ status }) => status).map(seqOf),
    );
    assertEquals(kept.filter(({ list }) => list).map(seqOf), all.filter(({ list }) => list).map(seqOf));
  }));
});

Deno.test("of a task's progress the newest stays, the last before each of its ends, and what was asked for whole", () => {
  fc.assert(fc.property(parts, (all) => {
    const kept = new Set(conflate(all).filter(({ progress }) => progress).map(seqOf));
    for (const id of ["t0", "t1", "t2"]) {
      const own = all.filter(({ delivery }) => delivery.taskId === id);
      const due = own.flatMap((part, i) => {
        const later = own.slice(i + 1);
        const end = later.findIndex(({ delivery }) => delivery.terminal);
        const rivals = end < 0 ? later : later.slice(0, end);
        // What an end says itself comes after all that was said before it.
        const newer = rivals.some(({ progress }) => progress) || (end >= 0 && later[end]?.progress === true);
        // And what an end says itself is the last before it.
        return part.progress && (!newer || part.whole || part.delivery.terminal) ? [part.delivery.seq] : [];
      });
      const ids = own.filter(({ progress }) => progress).map(seqOf).filter((seq) => kept.has(seq));
      assertEquals(ids, due);
    }
  }));
});

Deno.test("merging twice is merging once, and nothing is invented", () => {
  fc.assert(fc.property(parts, (all) => {
    const once = conflate(all);
    assertEquals(conflate(once), once);
    const known = new Map(all.map((part) => [part.delivery, part]));
    for (const part of once) {
      const origin = known.get(part.delivery);
      assert(origin !== undefined);
      assertEquals({ ...part, progress: origin.progress }, origin);
    }
  }));
});

Deno.test("one task's progress says nothing of another's", () => {
  const all = deliveriesOf(progress("t0", 1), progress("t1", 1), progress("t0", 2))
    .map((delivery) => ({ delivery, progress: true, status: false, list: false, whole: false }));
  assertEquals(conflate(all).map(seqOf), [2, 3]);
});

function seqOf({ delivery }: Part): number {
  return delivery.seq;
}
