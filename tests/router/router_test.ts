import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Held } from "../../src/projection/interest.ts";
import type { Codec } from "../../src/protocol/codec.ts";
import { topicsOf } from "../../src/protocol/topics.ts";
import type { Member } from "../../src/router/audience.ts";
import { Router, type RouterCounts } from "../../src/router/router.ts";
import { arbitraryLog, toldBy } from "../projection/events.ts";
import { untagged } from "../projection/task_names.ts";
import { deliveriesOf, idsOf, lines, progress } from "./deliveries.ts";
import { ManualClock } from "./manual_clock.ts";

class Watcher implements Member {
  congested = false;
  pacedAtMs = -Infinity;
  readonly flushes: { readonly ids: readonly string[]; readonly atMs: number }[] = [];
  lag: number | undefined;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  write(bytes: Uint8Array): void {
    this.flushes.push({ ids: idsOf(bytes), atMs: this.#clock.now() });
  }

  lost(): void {}

  lagged(cursor: number): void {
    this.lag = cursor;
  }

  get ids(): readonly string[] {
    return this.flushes.flatMap(({ ids }) => ids);
  }
}

/** Topics that are served from the beginning. */
function held(...topics: readonly string[]): Held {
  return new Map(topics.map((topic) => [topic, 0]));
}

class Bench {
  readonly clock = new ManualClock(0);
  readonly counts: RouterCounts = {
    flushes: 0,
    frames: 0,
    bytes: 0,
    writes: 0,
    lag: (ms) => this.lags.push(ms),
    around: (flush) => flush(),
  };
  readonly lags: number[] = [];
  readonly codec = lines();
  readonly router = new Router({ clock: this.clock, flushMs: 20, head: 0, counts: this.counts });

  watch(topics: readonly string[], codec: Codec = this.codec): Watcher {
    const watcher = new Watcher(this.clock);
    this.router.join(watcher, held(...topics), codec, this.router.head);
    return watcher;
  }
}

const STEPS = deliveriesOf(...Array.from({ length: 40 }, (_, i) => progress("t0", i)));

Deno.test("what is quiet is flushed at once", () => {
  const { router, clock } = new Bench();
  const watcher = new Watcher(clock);
  router.join(watcher, held("task:progress"), lines(), 0);
  router.publish(STEPS.slice(0, 1), 1);
  assertEquals(watcher.ids, ["progress_1"]);
  clock.advance(20);
  router.publish(STEPS.slice(1, 2), 2);
  assertEquals(watcher.flushes.map(({ atMs }) => atMs), [0, 20]);
  assertEquals(clock.pending, 0, "and no timer runs");
});

Deno.test("what is busy is flushed every flushMs, neither more often nor later, and never left lying", () => {
  const bench = new Bench();
  const watcher = bench.watch(["task:progress"]);
  STEPS.forEach((delivery) => {
    bench.router.publish([delivery], delivery.seq);
    bench.clock.advance(3);
  });
  bench.clock.advance(100);
  const times = watcher.flushes.map(({ atMs }) => atMs);
  assertEquals(times, [0, 20, 40, 60, 80, 100, 120]);
  assertEquals(watcher.ids.at(-1), "progress_40");
  assertEquals(bench.clock.pending, 0);
});

Deno.test("a clock that is set, forward or back, neither holds what is busy back nor hurries it", () => {
  for (const setBy of [3_600_000, -3_600_000]) {
    const bench = new Bench();
    const watcher = bench.watch(["task:progress"]);
    const flushedAtMs: number[] = [];
    STEPS.forEach((delivery, i) => {
      if (i === 10) bench.clock.set(setBy);
      bench.router.publish([delivery], delivery.seq);
      bench.clock.advance(3);
      while (flushedAtMs.length < watcher.flushes.length) flushedAtMs.push(bench.clock.elapsed());
    });
    bench.clock.advance(100);
    assertEquals(flushedAtMs, [3, 21, 42, 60, 81, 102, 120]);
    assertEquals(watcher.ids.at(-1), "progress_40");
    assertEquals(bench.clock.pending, 0);
  }
});

Deno.test("events that come as often as flushes may wait for none, also after one that was late", () => {
  for (const lateMs of [0, 1, 5, 19, 20, 25, 39]) {
    const bench = new Bench();
    const watcher = bench.watch(["task:progress"]);
    const cameAtMs = STEPS.map((_, i) => 20 * i + (i === 10 ? lateMs : 0));
    STEPS.forEach((delivery, i) => {
      bench.clock.advance((cameAtMs[i] ?? 0) - bench.clock.now());
      bench.router.publish([delivery], delivery.seq);
      // The one after the late one may come before it is its turn.
      if (i === 10 && lateMs > 20) cameAtMs[i + 1] = bench.clock.now();
    });
    bench.clock.advance(100);
    const waits = watcher.flushes.map(({ atMs, ids }) =>
      atMs - (cameAtMs[Number(ids[0]?.slice(9)) - 1] ?? 0)
    );
    assertEquals(waits.slice(35).filter((ms) => ms > 0), [], `after one that was ${lateMs} ms late`);
  }
});

Deno.test("who asked for a pace gets progress no faster, the newest each time, and a status at once with what waits", () => {
  const bench = new Bench();
  const paced = new Watcher(bench.clock);
  const others = bench.watch(["task:progress", "task:status"]);
  bench.router.join(paced, held("task:progress", "task:status"), bench.codec, 0, { paceMs: 100 });
  assertEquals(bench.router.audiences, 2);
  const steps = deliveriesOf(
    ...Array.from({ length: 40 }, (_, i) => progress("t0", i)),
    { task: "t0", kind: "paused" },
    progress("t0", 41),
  );
  for (const delivery of steps) {
    bench.router.publish([delivery], delivery.seq);
    bench.clock.advance(3);
  }
  bench.clock.advance(200);
  assertEquals(paced.flushes, [
    { ids: ["progress_1", "status_1"], atMs: 0 },
    { ids: ["progress_34"], atMs: 100 },
    { ids: ["progress_40", "status_41"], atMs: 120 },
    { ids: ["progress_42"], atMs: 220 },
  ]);
  assert(others.flushes.length > 5);
});

Deno.test("what waits for a pace is never more than there are tasks, and a status change each", () => {
  const bench = new Bench();
  const paced = new Watcher(bench.clock);
  bench.router.join(paced, held("task:progress"), bench.codec, 0, { paceMs: 10_000 });
  const steps = deliveriesOf(...Array.from({ length: 20_000 }, (_, i) => progress(`t${i % 3}`, i)));
  bench.router.publish(steps.slice(0, 3), 3);
  for (let i = 3; i < steps.length; i++) bench.router.publish(steps.slice(i, i + 1), i + 1);
  bench.clock.advance(10_000);
  assertEquals(paced.flushes.map(({ ids }) => ids.length), [3, 3]);
  assertEquals(paced.ids.at(-1), "progress_20000");
});

Deno.test("each audience has a beat of its own, which no other's timer delays", () => {
  const bench = new Bench();
  const [one, other] = [bench.watch(["task:id:t0"]), bench.watch(["task:id:t1"])];
  const [a, b, c, d] = deliveriesOf(
    progress("t1", 1),
    progress("t0", 1),
    progress("t0", 2),
    progress("t1", 2),
  );
  assert(a !== undefined && b !== undefined && c !== undefined && d !== undefined);
  bench.router.publish([a], 1); // other at 0
  bench.clock.advance(15);
  bench.router.publish([b], 2); // one at 15
  bench.clock.advance(1);
  bench.router.publish([c], 3); // one is due at 35
  bench.router.publish([d], 4); // other is due at 20
  bench.clock.advance(100);
  assertEquals(other.flushes.map(({ atMs }) => atMs), [0, 20]);
  assertEquals(one.flushes.map(({ atMs }) => atMs), [15, 35]);
});

Deno.test("an event is encoded once, whoever watches and in however many audiences", () => {
  const bench = new Bench();
  const topics = [["task:status"], ["task:id:t0"], ["task:tag:a", "task:progress"], ["task:tag:a:status"]];
  const watchers = topics.flatMap((held) => [bench.watch(held), bench.watch(held), bench.watch(held)]);
  bench.router.publish(
    deliveriesOf({ task: "t0", kind: "created", body: { tags: ["a"] } }, progress("t0", 1)),
    2,
  );
  const payloads = new Set(bench.codec.packed.flat());
  const texts = [...payloads].map((payload) => new TextDecoder().decode(payload));
  assertEquals(texts.length, new Set(texts).size, "no frame was encoded twice");
  assertEquals(texts.length, 3, "status_1, progress_2 and status_2");
  assertEquals(bench.codec.packed.length, topics.length, "one buffer an audience");
  assertEquals([bench.counts.flushes, bench.counts.writes], [4, 12]);
  for (const { flushes } of watchers) assertEquals(flushes.length, 1, "one write a member");
});

Deno.test("those who hold the same topics share an audience, in whatever order they named them", () => {
  const bench = new Bench();
  bench.watch(["task:status", "task:progress"]);
  bench.watch(["task:progress", "task:status"]);
  assertEquals([bench.router.audiences, bench.router.topics], [1, 2]);
  bench.watch(["task:progress", "task:status"], { ...lines(), name: "json-batch" });
  assertEquals([bench.router.audiences, bench.router.topics], [2, 2]);
});

Deno.test("everybody gets exactly what its topics match, in order", () => {
  const held = fc.subarray([
    "task:progress",
    "task:status",
    "task:id:t0",
    "task:id:t1:status",
    "task:id:t1:progress",
    "task:tag:a",
    "task:tag:b:progress",
  ], { minLength: 1 });
  fc.assert(
    fc.property(
      arbitraryLog(["t0", "t1", "t2"]),
      fc.array(held, { minLength: 1, maxLength: 4 }),
      (log, all) => {
        const bench = new Bench();
        const watchers = all.map((topics) => bench.watch(topics));
        const told = toldBy(log);
        for (const delivery of told) {
          bench.router.publish([delivery], delivery.seq);
          bench.clock.advance(20);
        }
        watchers.forEach((watcher, i) => {
          const topics = all[i] ?? [];
          const due = told.flatMap(({ seq, taskId, tags, progress, status }) => [
            ...(progress !== undefined &&
                topicsOf("progress", taskId, tags).some((one) => topics.includes(one))
              ? [`progress_${seq}`]
              : []),
            ...(status !== undefined && topicsOf("status", taskId, tags).some((one) => topics.includes(one))
              ? [`status_${seq}`]
              : []),
          ]);
          assertEquals(watcher.ids, due);
        });
      },
    ),
  );
});

Deno.test("who lags leaves, is told its cursor, and its audience goes with the last of them", () => {
  const bench = new Bench();
  const watcher = bench.watch(["task:progress"]);
  bench.router.publish(STEPS.slice(0, 2), 2);
  bench.clock.advance(20);
  watcher.congested = true;
  bench.router.publish(STEPS.slice(2, 5), 5);
  assertEquals(watcher.lag, 2);
  assertEquals(bench.router.cursorOf(watcher), undefined);
  assertEquals([bench.router.audiences, bench.router.topics], [0, 0]);
  bench.router.publish(STEPS.slice(5), 40);
  assertEquals(watcher.flushes.length, 1);
});

Deno.test("a member that joins again from within its lag is not lost, and nobody else is disturbed", () => {
  const bench = new Bench();
  const other = bench.watch(["task:progress"]);
  const watcher = bench.watch(["task:progress"]);
  bench.router.publish(STEPS.slice(0, 1), 1);
  bench.clock.advance(20);
  watcher.congested = true;
  watcher.lagged = (cursor) => {
    assertEquals(cursor, 1);
    watcher.congested = false;
    bench.router.join(watcher, held("task:progress"), bench.codec, bench.router.head);
  };
  bench.router.publish(STEPS.slice(1, 3), 3);
  bench.clock.advance(20);
  bench.router.publish(STEPS.slice(3, 4), 4);
  assertEquals(watcher.ids, ["progress_1", "progress_4"]);
  assertEquals(other.ids, ["progress_1", "progress_3", "progress_4"]);
});

Deno.test("after a start over all have left, with the position each had been served up to, and nothing pends", () => {
  const bench = new Bench();
  const [busy, quiet] = [bench.watch(["task:progress"]), bench.watch(["task:id:nobody"])];
  bench.router.publish(STEPS.slice(0, 1), 1);
  bench.router.publish(STEPS.slice(1, 4), 4);
  const served = bench.router.reset(2, true);
  assertEquals(new Map(served), new Map<Member, number>([[busy, 1], [quiet, 4]]));
  assertEquals([bench.router.head, bench.router.audiences, bench.router.topics], [2, 0, 0]);
  bench.clock.advance(100);
  assertEquals([busy.ids, bench.clock.pending], [["progress_1"], 0]);
});

Deno.test("leaving leaves nothing behind, whatever was pending", () => {
  const bench = new Bench();
  const watchers = [["task:progress"], ["task:list"], ["task:id:t0", "task:tag:a"]].map((held) =>
    bench.watch(held)
  );
  bench.router.publish(STEPS.slice(0, 1), 1);
  bench.router.publish(STEPS.slice(1, 9), 9, untagged("gone"));
  for (const watcher of watchers) bench.router.leave(watcher);
  for (const watcher of watchers) bench.router.leave(watcher);
  bench.clock.advance(100);
  assertEquals([bench.router.audiences, bench.router.topics, bench.clock.pending], [0, 0, 0]);
  bench.router.flushAll();
  assertEquals(bench.counts.flushes, 3);
});

Deno.test("the age of a flush's oldest event is noted, once a flush that anybody was written", () => {
  const bench = new Bench();
  bench.watch(["task:progress"]);
  bench.watch(["task:progress"]);
  const [first] = STEPS;
  assert(first !== undefined);
  bench.clock.advance(first.atMs + 250);
  bench.router.publish(STEPS.slice(0, 1), 1);
  assertEquals(bench.lags, [250]);
});

Deno.test("those who hold the list are told of tasks that left memory, when nothing else happens too", () => {
  const bench = new Bench();
  const [list, other] = [bench.watch(["task:list"]), bench.watch(["task:status"])];
  bench.router.publish([], 5, untagged("t0", "t1"));
  assertEquals([list.flushes.length, other.flushes.length], [1, 0]);
  assertEquals(bench.router.head, 5);
});
