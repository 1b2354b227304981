import { assert, assertEquals, assertExists } from "@std/assert";
import type { Facts } from "./contract.ts";
import { followed, gathered, numbered, positions, record, until, whole } from "./probe.ts";

/** What is kept, what goes, and what the extent says of it. */
export const retaining: Facts = {
  "over its cap a subject loses its oldest, and others lose nothing": [
    { retainPerSubject: 3 },
    async ({ log }) => {
      await log.append([record("task.b.x"), ...numbered(6, () => "task.a.x"), record("task.b.x")]);
      assertEquals((await whole(log)).map((e) => [e.seq, e.subject]), [
        [1, "task.b.x"],
        [5, "task.a.x"],
        [6, "task.a.x"],
        [7, "task.a.x"],
        [8, "task.b.x"],
      ]);
      await log.append([record("task.a.x")]);
      assertEquals((await whole(log, "task.a.x")).map((e) => e.seq), [6, 7, 9]);
      assertEquals((await gathered(log.lastPerSubject())).map((e) => e.seq), [8, 9]);
    },
  ],

  "records past their age go, younger ones stay, positions go on": [
    { retainAgeMs: 2000, dedupWindowMs: 500 },
    async ({ log, passTime }) => {
      await log.append(numbered(3, (i) => `task.old${i}.x`));
      await passTime(1500);
      await log.append([record("task.young.x")]);
      await passTime(700);
      const { epoch } = await log.extent();
      await until(async () => (await log.extent()).firstSeq === 4 ? true : undefined);
      assertEquals(await log.extent(), { epoch, firstSeq: 4, lastSeq: 4 });
      assertEquals((await whole(log)).map((e) => e.seq), [4]);
      assertEquals((await gathered(log.lastPerSubject())).map((e) => e.subject), ["task.young.x"]);
    },
  ],

  "a log that lost everything to age keeps its head and its epoch, over reopening too": [
    { retainAgeMs: 1000, dedupWindowMs: 500 },
    async (bench) => {
      await bench.log.append(numbered(3));
      const { epoch } = await bench.log.extent();
      await bench.passTime(1200);
      await until(async () => (await bench.log.extent()).firstSeq === 4 ? true : undefined);
      assertEquals(await bench.log.extent(), { epoch, firstSeq: 4, lastSeq: 3 });
      assertEquals(await bench.log.read({ after: 0, limit: 10 }), { entries: [], through: 3 });
      const again = await bench.reopen();
      assertEquals(await again.extent(), { epoch, firstSeq: 4, lastSeq: 3 });
      assertEquals((await again.append([record("task.a.x")])).map((r) => r.seq), [4]);
    },
  ],

  "the extent of an empty log says that nothing was ever there": async ({ log }) => {
    const { epoch, firstSeq, lastSeq } = await log.extent();
    assert(epoch.length > 0);
    assertEquals({ firstSeq, lastSeq }, { firstSeq: 1, lastSeq: 0 });
  },

  "the extent starts at the oldest record that is left": [{ retainPerSubject: 2 }, async ({ log }) => {
    await log.append(numbered(10, () => "task.a.x"));
    const { firstSeq, lastSeq } = await log.extent();
    assertEquals({ firstSeq, lastSeq }, { firstSeq: 9, lastSeq: 10 });
  }],
};

/** What holds when an operator removes every record. */
export const purging: Facts = {
  "a purged log keeps its head and its epoch, and its follower is told": async ({ log, purge }) => {
    assertExists(purge, "the bench cannot purge");
    await log.append(numbered(5));
    const { epoch } = await log.extent();
    await purge();
    await until(async () => (await log.extent()).firstSeq === 6 ? true : undefined);
    assertEquals(await log.extent(), { epoch, firstSeq: 6, lastSeq: 5 });
    await log.append([record("task.a.x")]);
    const seen = await followed(log, 0, (got) => got.entries.length === 1);
    assertEquals(seen.kinds, ["missed", "entries"]);
    assertEquals(seen.missed, positions(1, 5));
  },
};
