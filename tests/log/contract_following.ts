import { assert, assertEquals, assertExists, assertNotEquals } from "@std/assert";
import type { Facts, LogBench } from "./contract.ts";
import { type Followed, LogError } from "../../src/log/event_log.ts";
import {
  collect,
  Collected,
  expected,
  first,
  followed,
  gathered,
  lifetime,
  numbered,
  plain,
  positions,
  record,
  until,
  whole,
  within,
} from "./probe.ts";

/** What following promises. */
export const following: Facts = {
  "following brings what was there and what comes, in order, once": async ({ log }) => {
    await log.append(numbered(20));
    const seen = followed(log, 0, (got) => got.entries.length === 50);
    for (let i = 0; i < 10; i++) await log.append(numbered(3));
    assertEquals((await seen).entries.map((e) => e.seq), positions(1, 50));
  },

  "following from a position brings only what lies after it": async ({ log }) => {
    const sent = numbered(20);
    await log.append(sent);
    const seen = await followed(log, 12, (got) => got.entries.length === 8);
    assertEquals(seen.entries.map(plain), sent.slice(12).map((r, i) => expected(i + 13, r)));
    assertEquals(seen.kinds, ["entries"]);
  },

  "a follower at the head is woken by the next append": async ({ log }) => {
    await log.append(numbered(5));
    const { epoch } = await log.extent();
    using life = lifetime();
    const live = log.follow({ epoch, after: 5 }, life.signal)[Symbol.asyncIterator]();
    const next = live.next();
    await log.append([record("task.a.woken")]);
    const woken: IteratorResult<Followed, undefined> = await within(next);
    assert(woken.value?.kind === "entries");
    assertEquals(woken.value.entries.map((e) => e.subject), ["task.a.woken"]);
  },

  "a follower that reads slowly gets everything all the same": async ({ log }) => {
    const { epoch } = await log.extent();
    using life = lifetime();
    const seqs: number[] = [];
    const reading = (async () => {
      for await (const item of log.follow({ epoch, after: 0 }, life.signal)) {
        if (item.kind !== "entries") continue;
        seqs.push(...item.entries.map((e) => e.seq));
        if (seqs.length >= 4000) return;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    for (let i = 0; i < 8; i++) await log.append(numbered(500, (n) => `task.t${n % 100}.progress`));
    await within(reading);
    assertEquals(seqs, positions(1, 4000));
  },

  "two followers at different positions do not disturb each other": async ({ log }) => {
    await log.append(numbered(10));
    const both = [
      followed(log, 0, (got) => got.entries.length === 15),
      followed(log, 8, (got) => got.entries.length === 7),
    ];
    await log.append(numbered(5));
    const [early, late] = await Promise.all(both);
    assertEquals(early?.entries.map((e) => e.seq), positions(1, 15));
    assertEquals(late?.entries.map((e) => e.seq), positions(9, 15));
  },

  "following goes on where it was, over reopening": async (bench) => {
    await bench.log.append(numbered(10));
    const before = await followed(bench.log, 4, (got) => got.entries.length === 6);
    const again = await bench.reopen();
    await again.append(numbered(5));
    const after = await followed(again, 10, (got) => got.entries.length === 5, before.epoch);
    assertEquals(after.entries.map((e) => e.seq), positions(11, 15));
    assertEquals(after.kinds.includes("epoch"), false);
  },

  "positions that retention took are told as missed, the rest is brought": [
    { retainPerSubject: 2 },
    async ({ log }) => {
      await log.append(numbered(10, () => "task.a.x"));
      const seen = await followed(log, 3, (got) => got.entries.length === 2);
      assertEquals(seen.kinds, ["missed", "entries"]);
      assertEquals(seen.missed, positions(4, 8));
      assertEquals(seen.entries.map((e) => e.seq), [9, 10]);
    },
  ],

  "a log that lost everything tells a follower so, up to its head": [
    { retainAgeMs: 1000, dedupWindowMs: 500 },
    async ({ log, passTime }) => {
      await log.append(numbered(5));
      await passTime(1200);
      await until(async () => (await log.extent()).firstSeq === 6 ? true : undefined);
      const seen = await followed(log, 2, (got) => got.covered.length === 3);
      assertEquals(seen.kinds, ["missed"]);
      assertEquals(seen.missed, [3, 4, 5]);
    },
  ],

  "every position is either brought or told as missed, once, in order": [
    { retainPerSubject: 2 },
    async ({ log }) => {
      // b at 1, 8, 15 …; the rest a: a keeps its last two, b its last two; a hole lies between.
      await log.append(numbered(22, (i) => i % 7 === 0 ? "task.b.x" : "task.a.x"));
      const seen = await followed(log, 0, (got) => got.covered.length === 22);
      assertEquals(seen.covered, positions(1, 22));
      assertEquals(seen.entries.map((e) => e.seq), [15, 20, 21, 22]);
    },
  ],

  "aborting ends a waiting follower at once, without an error": async ({ log }) => {
    await log.append(numbered(3));
    const { epoch } = await log.extent();
    const life = new AbortController();
    const live = log.follow({ epoch, after: 3 }, life.signal)[Symbol.asyncIterator]();
    const next = live.next();
    await log.append([record("task.a.x")]);
    await within(next);
    const waiting = live.next();
    // That it waits cannot be seen; half this time is enough for it to get there.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const from = performance.now();
    life.abort();
    assertEquals((await within(waiting)).done, true);
    assert(performance.now() - from < 2000, `took ${performance.now() - from} ms`);
    assertEquals((await log.append([record("task.a.x")])).map((r) => r.seq), [5]);
  },

  "following with a signal already aborted brings nothing": async ({ log }) => {
    await log.append(numbered(3));
    const { epoch } = await log.extent();
    assertEquals(await first(log.follow({ epoch, after: 0 }, AbortSignal.abort())), undefined);
  },

  "a follower may be left in the middle": async ({ log }) => {
    await log.append(numbered(600));
    const { epoch } = await log.extent();
    using life = lifetime();
    const item = await first(log.follow({ epoch, after: 0 }, life.signal));
    assert(item?.kind === "entries" && item.entries[0]?.seq === 1);
  },
};

/** What another life of the log means to its readers. */
export const epochs: Facts = {
  "the epoch stays the same over appends and reopening": async (bench) => {
    const { epoch } = await bench.log.extent();
    await bench.log.append(numbered(3));
    assertEquals((await bench.log.extent()).epoch, epoch);
    assertEquals(await (await bench.reopen()).extent(), { epoch, firstSeq: 1, lastSeq: 3 });
  },

  "a cursor of another epoch is told so at once, and brought the log from its start": async ({ log }) => {
    await log.append(numbered(5));
    const extent = await log.extent();
    const seen = await followed(log, 3, (got) => got.entries.length === 5, "of-another-life");
    assertEquals(seen.kinds, ["epoch", "entries"]);
    assertEquals(seen.extents, [extent]);
    assertEquals(seen.entries.map((e) => e.seq), positions(1, 5));
  },

  "a cursor past the head is of another life of the log, whatever its epoch says": async ({ log }) => {
    await log.append(numbered(5));
    const extent = await log.extent();
    const seen = await followed(log, 9, (got) => got.entries.length === 5);
    assertEquals(seen.extents, [extent]);
    assertEquals(seen.entries.map((e) => e.seq), positions(1, 5));
  },

  "a stream made again has another epoch and starts at 1": async ({ log, recreate }) => {
    await log.append(numbered(5, undefined, "first"));
    const before = await log.extent();
    await recreate();
    const after = await until(async () => {
      const extent = await log.extent();
      return extent.epoch === before.epoch ? undefined : extent;
    });
    assertNotEquals(after.epoch, before.epoch);
    assertEquals({ ...after, epoch: "" }, { epoch: "", firstSeq: 1, lastSeq: 0 });
    assertEquals(await whole(log), []);
    assertEquals(await gathered(log.lastPerSubject()), []);
    // The ids of the old life are not known in the new one.
    assertEquals((await log.append(numbered(2, undefined, "first"))).map((r) => [r.seq, r.duplicate]), [
      [1, false],
      [2, false],
    ]);
  },

  "a follower of a stream made again is told, then brought the new one from its start": async (bench) => {
    await acrossRecreation(bench, 2);
  },

  "a new stream already longer than the old cursor loses nothing either": async (bench) => {
    await acrossRecreation(bench, 40);
  },

  "a cursor of the former stream is told apart from the new one": async ({ log, recreate }) => {
    await log.append(numbered(5));
    const { epoch } = await log.extent();
    await recreate();
    await until(async () => (await log.extent()).epoch === epoch ? undefined : true);
    await log.append(numbered(9));
    const seen = await followed(log, 5, (got) => got.entries.length === 9, epoch);
    assertEquals(seen.extents.length, 1);
    assertEquals(seen.entries.map((e) => e.seq), positions(1, 9));
  },
};

/** What holds when the server goes away and comes back. */
export const restarting: Facts = {
  "a living log and its follower outlast a restart of the server": async ({ log, restart }) => {
    assertExists(restart, "the bench cannot restart");
    await log.append(numbered(10, undefined, "before"));
    const { epoch } = await log.extent();
    const seen = followed(log, 0, (got) => got.entries.length === 20);
    await restart();
    const outcomes = await until(async () => {
      try {
        return await log.append(numbered(10, undefined, "after"));
      } catch (error) {
        if (error instanceof LogError && error.code === "unreachable") return undefined;
        throw error;
      }
    });
    assertEquals(outcomes.map((o) => o.seq), positions(11, 20));
    assertEquals((await seen).entries.map((e) => e.seq), positions(1, 20));
    assertEquals((await log.extent()).epoch, epoch);
  },
};

/**
 * Follows ten records, makes the stream again and appends `count` records to it, all under the living
 * follower.
 */
async function acrossRecreation({ log, recreate }: LogBench, count: number): Promise<void> {
  await log.append(numbered(10, () => "task.old.x"));
  const before = await log.extent();
  using life = lifetime();
  const collected = new Collected();
  const reading = collect(
    log.follow({ epoch: before.epoch, after: 0 }, life.signal),
    collected,
    (got) => got.entries.length === 10 + count,
  );
  await until(() => Promise.resolve(collected.entries.length === 10 ? true : undefined));
  await recreate();
  await until(async () => (await log.extent()).epoch === before.epoch ? undefined : true);
  await log.append(numbered(count, () => "task.new.x"));
  await within(reading, () => `got ${JSON.stringify(collected.kinds)}, ${collected.entries.length} entries`);
  assertEquals(
    collected.entries.slice(10).map((e) => [e.seq, e.subject]),
    positions(1, count).map((seq) => [seq, "task.new.x"]),
  );
  assertEquals(collected.extents.map((extent) => extent.epoch), [(await log.extent()).epoch]);
  assertEquals(collected.missed, []);
}
