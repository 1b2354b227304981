import { assert, assertEquals, assertExists, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { TaskNames } from "../../src/access/scope.ts";
import { type Entry, LogError } from "../../src/log/event_log.ts";
import type { Delivery } from "../../src/projection/delivery.ts";
import { Projection } from "../../src/projection/projection.ts";
import { UNDER_WAY_FACTOR } from "../../src/projection/task_table.ts";
import { fold, type TaskState } from "../../src/task/fold.ts";
import { isTerminal, statusData, statusOf } from "../../src/task/task.ts";
import { MemoryLog } from "../connection/memory_log.ts";
import { boundsOf } from "./bounds.ts";
import { arbitraryLog, eventOf, lineOf, record, toldBy } from "./events.ts";
import { untagged } from "./task_names.ts";

const TASKS = ["t0", "t1", "t2", "t3", "t4"];

function logOf(entries: readonly Entry[]): MemoryLog {
  let nowMs = 0;
  const log = new MemoryLog({ now: () => nowMs });
  for (const entry of entries) {
    nowMs = entry.time;
    log.put(entry);
  }
  return log;
}

/** How often `log` is asked from now on: for the last records of all, and for pages. */
function counted(log: MemoryLog): { readonly walks: number; readonly reads: number } {
  const counts = { walks: 0, reads: 0 };
  const lasts = log.lastPerSubject.bind(log);
  log.lastPerSubject = (subject) => {
    counts.walks++;
    return lasts(subject);
  };
  const read = log.read.bind(log);
  log.read = (query) => {
    counts.reads++;
    return read(query);
  };
  return counts;
}

/** A projection that has followed all of `entries`, in batches of `batch`; and what it told. */
async function followed(
  entries: readonly Entry[],
  { maxTasks = 100, batch = 1 }: { maxTasks?: number; batch?: number } = {},
): Promise<{ projection: Projection; told: Delivery[]; removed: TaskNames[] }> {
  const projection = new Projection(logOf(entries), boundsOf({ maxTasks }));
  const told: Delivery[] = [];
  const removed: TaskNames[] = [];
  for (let i = 0; i < entries.length; i += batch) {
    const applied = await projection.apply(entries.slice(i, i + batch));
    told.push(...applied.deliveries);
    removed.push(...applied.removed);
  }
  return { projection, told, removed };
}

async function booted(entries: readonly Entry[], maxTasks = 100): Promise<Projection> {
  const projection = new Projection(logOf(entries), boundsOf({ maxTasks }));
  await projection.boot();
  return projection;
}

/** The tasks as the fold of all of their events, but for those of which a straggler hides something. */
function truth(entries: readonly Entry[]): Map<string, TaskState> {
  const states = new Map<string, TaskState>();
  const hidden = new Set<string>();
  for (const entry of entries) {
    const event = eventOf(entry);
    const before = states.get(event.taskId);
    if ((before?.greatest[event.kind]?.attempt ?? 0) > event.attempt) hidden.add(event.taskId);
    states.set(event.taskId, fold(before, event));
  }
  return new Map([...states].filter(([id]) => !hidden.has(id)));
}

Deno.test("a projection booted from the last event of each subject is the one that followed all of them", async () => {
  await fc.assert(fc.asyncProperty(arbitraryLog(TASKS), async (entries) => {
    const [fresh, { projection: old }] = [await booted(entries), await followed(entries)];
    assertEquals([fresh.head, fresh.tasks.size], [old.head, old.tasks.size]);
    for (const [id, state] of truth(entries)) {
      assertEquals(fresh.tasks.get(id)?.state, state);
      assertEquals(old.tasks.get(id)?.state, state);
    }
  }));
});

Deno.test("so is one that has room for few of the tasks: it has all that are under way, and of the rest what there is room for", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryLog(TASKS), fc.integer({ min: 2, max: 3 }), async (entries, room) => {
      const fresh = await booted(entries, room);
      assertHasRoom(fresh, truth(entries), room);
      for (const [id, state] of truth(entries)) {
        const record = fresh.tasks.get(id);
        if (record === undefined) assert(fresh.tasks.mayBeEvicted(id));
        else assertEquals(record.state, state);
      }
    }),
  );
});

/** That only ended tasks are missing, and only for want of room. */
function assertHasRoom({ tasks }: Projection, truth: ReadonlyMap<string, TaskState>, maxTasks: number): void {
  for (const [id, state] of truth) {
    const isThere = tasks.get(id) !== undefined;
    assert(isThere || (isTerminal(statusOf(state)) && tasks.size >= maxTasks), `${id} is there`);
  }
  assert(tasks.size <= maxTasks || [...tasks.all()].every(({ id }) => tasks.isActive(id)));
}

Deno.test("tasks that end, leave amid a boot and are met again cost no search each", async () => {
  const ids = Array.from({ length: 300 }, (_, i) => `t${i}`);
  const kinds = ["completed", "progress", "paused", "failed"] as const;
  const entries = kinds.flatMap((kind, k) =>
    ids.map((id, i) => record(k * 300 + i + 1, id, kind, { completed: i }))
  );
  const log = logOf(entries);
  const asked = counted(log);
  const projection = new Projection(log, boundsOf({ maxTasks: 100 }));
  await projection.boot();
  assertEquals(asked, { walks: 2, reads: 0 });
  assertHasRoom(projection, truth(entries), 100);
  assertEquals(projection.tasks.size, 100);
  for (const record of projection.tasks.all()) assertEquals(record.state, truth(entries).get(record.id));
});

Deno.test("where few of many tasks are met again amid a boot they are read alone", async () => {
  const ids = Array.from({ length: 2_100 }, (_, i) => `t${i}`);
  const ends = ids.map((id, i) => record(i + 1, id, "completed"));
  const entries = [...ends, record(2_101, "t0", "started", { attempt: 2 }), record(2_102, "t1", "paused")];
  const log = logOf(entries);
  const asked = counted(log);
  const projection = new Projection(log, boundsOf({ maxTasks: 10 }));
  await projection.boot();
  assertEquals(asked.walks, 1);
  assertEquals(projection.tasks.get("t0")?.state, truth(entries).get("t0"));
  assertEquals([...projection.tasks.active()].map(({ id }) => id), ["t0"]);
  assertEquals(projection.tasks.size, 10);
});

Deno.test("more tasks under way than four times the room leave, are counted, and come back when they go on", async () => {
  const ids = Array.from({ length: 12 }, (_, i) => `t${i}`);
  const starts = ids.map((id, i) => record(i + 1, id, "started"));
  const { projection, removed } = await followed(starts, { maxTasks: 2 });
  assertEquals(removed, untagged("t0", "t1", "t2", "t3"));
  assertEquals([projection.counts.evicted, projection.counts.evictedUnderWay], [0, 4]);
  const fresh = await booted(starts, 2);
  assertEquals([...fresh.tasks.active()].map(({ id }) => id), ids.slice(4));
  assertEquals([fresh.counts.evicted, fresh.counts.evictedUnderWay], [0, 4]);
  const { told } = await followed([...starts, record(13, "t1", "progress", { completed: 5 })], {
    maxTasks: 2,
  });
  assertEquals(told.slice(-1).map(lineOf), ["13 t1 [] progress 5/null of attempt 1"]);
});

Deno.test("what is told does not depend on how many tasks there is room for, nor on the batches", async () => {
  const batch = fc.integer({ min: 1, max: 12 });
  const MANY = Array.from({ length: 9 }, (_, i) => `t${i}`);
  await fc.assert(
    fc.asyncProperty(
      arbitraryLog(MANY, 60),
      fc.integer({ min: 1, max: 3 }),
      batch,
      async (entries, maxTasks, batch) => {
        const { told, projection } = await followed(entries, { maxTasks, batch });
        assertEquals(told.map(lineOf), toldBy(entries).map(lineOf));
        if (maxTasks > 2) assertHasRoom(projection, truth(entries), maxTasks);
        assert(projection.tasks.size <= UNDER_WAY_FACTOR * maxTasks);
      },
    ),
  );
});

Deno.test("a straggler of an ended task that has left memory finds it ended, and is late", async () => {
  const log = [
    record(1, "old", "started"),
    record(2, "old", "completed", { result: 1 }),
    record(3, "t1", "started"),
    record(4, "t2", "started"),
    record(5, "old", "progress", { total: 10, completed: 9 }),
    record(6, "old", "started"),
  ];
  const { told, projection, removed } = await followed(log, { maxTasks: 2 });
  assertEquals(told.map(lineOf).slice(4), ["5 old [] progress 9/10 of attempt 1", "6 old [] completed"]);
  // Each time it was brought back it went again: the others have not ended.
  assertEquals(removed, untagged("old", "old", "old"));
  assertEquals(projection.counts.evicted, 3);
});

Deno.test("a task that was brought back knows where it last had something to tell", async () => {
  const log = [
    record(1, "old", "progress", { completed: 1 }),
    record(2, "old", "completed"),
    record(3, "t1", "started"),
    record(4, "t1", "completed"),
    record(5, "old", "paused"),
  ];
  const { projection, told } = await followed(log, { maxTasks: 1 });
  assertEquals(told.length, 4, "the straggler is late");
  const { bornSeq, progressSeq, statusSeq } = projection.tasks.get("old") ?? {};
  assertEquals({ bornSeq, progressSeq, statusSeq }, { bornSeq: 1, progressSeq: 1, statusSeq: 2 });
});

Deno.test("more tasks may come back in one batch than there is room for", async () => {
  const ids = Array.from({ length: 8 }, (_, i) => `t${i}`);
  let seq = 0;
  const ends = ids.map((id) => record(++seq, id, "completed"));
  const strays = ids.map((id) => record(++seq, id, "paused"));
  const { told, projection } = await followed([...ends, ...strays], { maxTasks: 2, batch: 8 });
  assertEquals(told.length, 8, "every straggler found its task ended");
  assertEquals(projection.counts.late, 8);
  assertEquals(projection.tasks.size, 2);
});

Deno.test("a batch that meets an outage is neither counted nor told, and may be handed over again", async () => {
  const log = [
    record(1, "old", "completed"),
    record(2, "t1", "started"),
    record(3, "t2", "started", new Uint8Array([0xff])),
    record(4, "old", "paused"),
  ];
  const stored = logOf(log);
  const projection = new Projection(stored, boundsOf({ maxTasks: 1 }));
  await projection.apply(log.slice(0, 2));
  stored.gate = () => Promise.reject(new LogError("unreachable", "away"));
  await assertRejects(() => projection.apply(log.slice(2)), LogError);
  assertEquals([projection.head, projection.rejected.total, projection.counts.late], [2, 0, 0]);
  assertEquals(projection.counts.events, { completed: 1, started: 1 });
  stored.gate = () => Promise.resolve();
  assertEquals(await projection.apply(log.slice(2)), { deliveries: [], removed: untagged("old") });
  assertEquals([projection.head, projection.rejected.total, projection.counts.late], [4, 1, 1]);
});

Deno.test("what was folded in already is passed over", async () => {
  const log = [record(1, "t0", "started"), record(2, "t0", "paused"), record(3, "t0", "resumed")];
  const { projection } = await followed(log.slice(0, 2));
  const { deliveries } = await projection.apply(log);
  assertEquals(deliveries.map(lineOf), ["3 t0 [] running"]);
  assertEquals(await projection.apply(log), { deliveries: [], removed: [] });
  assertEquals(projection.head, 3);
});

Deno.test("rubbish is listed, moves the head on and tells nothing", async () => {
  const log = [record(1, "t0", "started"), record(2, "t0", "boom"), record(3, "t0", "paused", "text")];
  const { projection, told } = await followed(log, { batch: 3 });
  assertEquals(told.length, 1);
  assertEquals(projection.head, 3);
  assertEquals(projection.rejected.list().map(({ seq }) => seq), [3, 2]);
});

Deno.test("a boot that fails leaves everything as it was, and lists nothing twice", async () => {
  const log = [record(1, "t0", "started"), record(2, "t0", "boom")];
  const { projection } = await followed(log, { batch: 2 });
  const stored = logOf([...log, record(3, "t1", "started")]);
  const fragile = new Projection(stored, boundsOf({ maxTasks: 10 }));
  let calls = 0;
  stored.gate = () => ++calls < 4 ? Promise.resolve() : Promise.reject(new LogError("unreachable", "away"));
  await assertRejects(() => fragile.boot(), LogError);
  assertEquals([fragile.head, fragile.tasks.size, fragile.rejected.total, fragile.epoch], [0, 0, 0, ""]);
  stored.gate = () => Promise.resolve();
  await fragile.boot();
  await fragile.boot();
  assertEquals([fragile.head, fragile.tasks.size, fragile.rejected.total], [3, 2, 1]);
  assertEquals(projection.rejected.total, 1);
});

Deno.test("rubbish that is the last of its kind hides nothing, neither from a boot nor from who looks a task up", async () => {
  const log = [
    record(1, "t0", "created", { name: "n" }),
    record(2, "t0", "completed", { result: 1, progress: { completed: 3, total: 4 } }),
    record(3, "t0", "completed", "rubbish"),
    record(4, "t0", "created", new Uint8Array([0xff])),
  ];
  const whole = await booted(log);
  const state = truth(log.slice(0, 2)).get("t0");
  assertExists(state);
  assertEquals(whole.tasks.get("t0")?.state, state);
  assertEquals((await whole.stateFromLog("t0"))?.state, state);
});

Deno.test("what is appended while a projection boots is part of it, and hides nothing of what was there", async () => {
  const log = logOf([
    record(1, "t0", "progress", { completed: 1 }),
    record(2, "t1", "completed", { result: 1 }),
    record(3, "t2", "started"),
  ]);
  const projection = new Projection(log, boundsOf({ maxTasks: 10 }));
  const news = [
    record(4, "t0", "progress", { completed: 2 }),
    record(5, "t1", "completed", "rubbish"),
    record(6, "t3", "started"),
  ];
  let calls = 0;
  log.gate = () => {
    // After the extent was looked at, before the last records are.
    if (++calls === 3) { for (const entry of news) log.put(entry); }
    return Promise.resolve();
  };
  await projection.boot();
  assertEquals(projection.head, 6);
  const told = ["t0", "t1", "t2", "t3"].map((id) => {
    const record = projection.tasks.get(id);
    return record && [statusOf(record.state), statusData(record.state, undefined).progress.completed];
  });
  assertEquals(told, [["running", 2], ["completed", 0], ["running", 0], ["running", 0]]);
  assertEquals(projection.rejected.list().map(({ seq }) => seq), [5]);
  assertEquals((await projection.apply(log.entries)).deliveries, []);
});
