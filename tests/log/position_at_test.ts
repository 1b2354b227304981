import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { positionAt } from "../../src/log/position_at.ts";
import { MemoryLog } from "../connection/memory_log.ts";
import { record } from "../projection/events.ts";

Deno.test("the position at a time is the last whose record was stored by then, whatever retention took", async () => {
  const pauses = fc.array(fc.constantFrom(0, 0, 1, 5), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(pauses, fc.nat(12), fc.integer({ min: 1, max: 3 }), async (pauses, dropped, kept) => {
      let nowMs = 100;
      const log = new MemoryLog({ now: () => nowMs, retainPerSubject: kept });
      for (const [i, pause] of pauses.entries()) {
        nowMs += pause;
        log.put(record(0, `t${i % 3}`, "progress"));
      }
      log.dropBefore(dropped);
      const extent = await log.extent();
      for (let timeMs = 99; timeMs <= nowMs + 1; timeMs++) {
        const last = log.entries.findLast(({ time }) => time <= timeMs)?.seq ?? extent.firstSeq - 1;
        assertEquals(await positionAt(log, timeMs, extent), last);
      }
    }),
  );
});

Deno.test("a million positions are twenty reads of one record", async () => {
  const log = new MemoryLog({ now: () => 0 });
  let reads = 0;
  log.read = ({ after, limit }) => {
    reads++;
    assertEquals(limit, 1);
    const seq = after + 1;
    return Promise.resolve({ entries: [{ ...record(seq, "t", "progress"), time: seq }], through: seq });
  };
  assertEquals(await positionAt(log, 765_432, { firstSeq: 1, lastSeq: 1_000_000 }), 765_432);
  assertEquals(reads, 20);
});
