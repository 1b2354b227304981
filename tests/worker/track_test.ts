import { assertEquals, assertRejects } from "@std/assert";
import type { Counters } from "../../src/worker/counters.ts";
import { merged } from "../../src/worker/counters.ts";
import { type Trackable, Tracked, type TrackOptions } from "../../src/worker/track.ts";
import { ManualClock } from "./manual_clock.ts";

function setUp(counters: Counters = {}) {
  const stop = new AbortController();
  const clock = new ManualClock();
  const task = {
    signal: stop.signal,
    counters,
    count(said: Counters) {
      this.counters = merged(this.counters, said);
    },
    grow(items: number) {
      this.count({ total: (this.counters.total ?? 0) + items });
    },
  };
  const track = <T>(items: Trackable<T>, options: TrackOptions<T> = {}) =>
    new Tracked(task, items, options, clock);
  return { clock, stop, task, track };
}

/** A source that says whether it was closed. */
function source(items: readonly string[]) {
  const state = { closed: false };
  async function* all() {
    try {
      for (const item of items) yield await Promise.resolve(item);
    } finally {
      state.closed = true;
    }
  }
  return { items: all(), state };
}

Deno.test("items are counted as the loop comes back for the next, and shown while they are worked on", async () => {
  const { task, track } = setUp();
  const seen: Counters[] = [];
  for await (const _ of track(new Set(["a", "b"]))) seen.push(task.counters);
  assertEquals(seen, [{ total: 2, current: "a" }, { total: 2, completed: 1, current: "b" }]);
  assertEquals(task.counters, { total: 2, completed: 2, current: null });
});

Deno.test("a stream of unknown length has no total", async () => {
  const { task, track } = setUp();
  for await (const _ of track(source(["a", "b", "c"]).items));
  assertEquals(task.counters, { completed: 3, current: null });
});

Deno.test("loops one after the other add up", async () => {
  const { task, track } = setUp();
  for await (const _ of track([1, 2]));
  for await (const _ of track([3]));
  assertEquals(task.counters, { total: 3, completed: 3, current: null });
});

Deno.test("an item can be counted as failed while the loop goes on", async () => {
  const { task, track } = setUp();
  const items = track([1, 2, 3]);
  for await (const n of items) if (n === 2) items.failed();
  assertEquals(task.counters, { total: 3, completed: 2, failed: 1, current: null });
});

Deno.test("breaking out closes the source, and the item at hand is not counted", async () => {
  const { task, track } = setUp();
  const { items, state } = source(["a", "b", "c"]);
  for await (const item of track(items)) if (item === "b") break;
  assertEquals(task.counters, { completed: 1, current: "b" });
  assertEquals(state.closed, true);
});

Deno.test("a throw in the loop comes out of it, and closes the source", async () => {
  const { task, track } = setUp();
  const { items, state } = source(["a"]);
  await assertRejects(
    async () => {
      for await (const _ of track(items)) throw new Error("no");
    },
    Error,
    "no",
  );
  assertEquals([task.counters, state.closed], [{ current: "a" }, true]);
});

Deno.test("an error of the source comes out of the loop", async () => {
  const { track } = setUp();
  const broken: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("disk")) }),
  };
  await assertRejects(
    async () => {
      for await (const _ of track(broken));
    },
    Error,
    "disk",
  );
});

Deno.test("when the task is aborted the loop throws its reason: the finished item counts, no other begins", async () => {
  const { stop, task, track } = setUp();
  const { items, state } = source(["a", "b"]);
  const seen: string[] = [];
  await assertRejects(
    async () => {
      for await (const item of track(items)) {
        seen.push(item);
        stop.abort(new Error("enough"));
      }
    },
    Error,
    "enough",
  );
  assertEquals([seen, task.counters, state.closed], [["a"], { completed: 1, current: "a" }, true]);
});

Deno.test("a loop over what is all there stops at an abort as well", async () => {
  const { stop, task, track } = setUp();
  await assertRejects(
    async () => {
      for await (const n of track([1, 2, 3])) if (n === 2) stop.abort(new Error("enough"));
    },
    Error,
    "enough",
  );
  assertEquals(task.counters, { total: 3, completed: 2, current: "2" });
});

Deno.test("a source that never answers does not hold an aborted loop", async () => {
  const { stop, track } = setUp();
  let closed = false;
  const silent: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: () => {
        closed = true;
        return new Promise(() => {});
      },
    }),
  };
  const looped = assertRejects(
    async () => {
      for await (const _ of track(silent));
    },
    Error,
    "enough",
  );
  stop.abort(new Error("enough"));
  await looped;
  assertEquals(closed, true);
});

Deno.test("a loop that never waits lets timers and sockets have a turn every tenth of a second", async () => {
  const { clock, track } = setUp();
  const turnsMs: number[] = [];
  const startMs = clock.now();
  clock.after = (_ms, then) => {
    turnsMs.push(clock.now() - startMs);
    then();
    return () => {};
  };
  for await (const _ of track(Array.from({ length: 39 }))) clock.advanceSync(10);
  assertEquals(turnsMs, [100, 200, 300]);
});

Deno.test("items show by their text, their name, or as they are labelled", async () => {
  const { task, track } = setUp();
  const shown: unknown[] = [];
  for await (const _ of track<unknown>(["file", 7, { name: "report.pdf" }, { id: 1 }])) {
    shown.push(task.counters.current);
  }
  for await (const _ of track([{ id: 1 }], { label: ({ id }, i) => `${i}: row ${id}` })) {
    shown.push(task.counters.current);
  }
  for await (const _ of track(["x".repeat(5000)])) shown.push(task.counters.current?.length);
  assertEquals(shown, ["file", "7", "report.pdf", "report.pdf", "0: row 1", 256]);
});
