import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type Entry, LogError } from "../../src/log/event_log.ts";
import type { Delivery } from "../../src/projection/delivery.ts";
import { History, type PageBounds, type ReplayPage } from "../../src/projection/history.ts";
import { Projection, type ProjectionBounds } from "../../src/projection/projection.ts";
import { MemoryLog } from "../connection/memory_log.ts";
import { boundsOf } from "./bounds.ts";
import { arbitraryLog, eventOf, lineOf, record, toldBy } from "./events.ts";

const LONG_TAIL = boundsOf();
const NO_TAIL = boundsOf({ maxEvents: 0 });
/** Pages so small that every replay is of many. */
const SMALL_PAGES: PageBounds = { positions: 3, records: 4, bytes: 262_144, atOnce: 64 };
const pages = fc.constantFrom(undefined, SMALL_PAGES);

/** What a page has for its reader. */
function deliveriesOf({ block, after, through }: ReplayPage): Delivery[] {
  return block.deliveries.filter(({ seq }) => seq > after && seq <= through);
}

/** A history over a log that a projection has followed to its end. */
class Bench {
  readonly log: MemoryLog;
  readonly projection: Projection;
  readonly history: History;
  reads = 0;
  #nowMs = 0;

  constructor(bounds?: ProjectionBounds, pages?: PageBounds) {
    this.log = new MemoryLog({ now: () => this.#nowMs });
    this.projection = new Projection(this.log, bounds ?? NO_TAIL);
    this.history = new History(this.log, this.projection, pages);
    const read = this.log.read.bind(this.log);
    this.log.read = (query) => {
      this.reads++;
      return read(query);
    };
  }

  static async of(entries: readonly Entry[], bounds?: ProjectionBounds, pages?: PageBounds): Promise<Bench> {
    const bench = new Bench(bounds, pages);
    await bench.append(entries);
    return bench;
  }

  async append(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      this.#nowMs = entry.time;
      this.log.put(entry);
    }
    await this.projection.apply(entries);
  }

  /** All pages after `after`, laid end to end, as a reader reads them. */
  async all(after: number, tasks?: ReadonlySet<string>, upTo = this.projection.head): Promise<Delivery[]> {
    const told: Delivery[] = [];
    for (let cursor = after; cursor < upTo;) {
      const page = await this.history.page({
        after: cursor,
        upTo,
        ...(tasks === undefined ? {} : { tasks }),
      });
      assert(page.through > cursor && page.through <= upTo, "every page goes on");
      assertEquals(page.missedTo, undefined);
      told.push(...deliveriesOf(page).filter(({ taskId }) => tasks?.has(taskId) ?? true));
      cursor = page.through;
    }
    return told;
  }
}

const TASKS = ["t0", "t1", "t2"];

Deno.test("the past from the log is the past from memory, event for event", async () => {
  await fc.assert(fc.asyncProperty(arbitraryLog(TASKS), pages, async (entries, pages) => {
    const [logged, remembered] = [
      await Bench.of(entries, NO_TAIL, pages),
      await Bench.of(entries, LONG_TAIL, pages),
    ];
    const told = toldBy(entries).map(lineOf);
    assertEquals((await logged.all(0)).map(lineOf), told);
    assertEquals((await remembered.all(0)).map(lineOf), told);
    assertEquals(remembered.reads, 0, "memory needs no log");
  }));
});

Deno.test("the past of some tasks is the whole past without the others", async () => {
  await fc.assert(
    fc.asyncProperty(
      arbitraryLog(TASKS),
      fc.subarray(TASKS, { minLength: 1 }),
      pages,
      async (entries, some, pages) => {
        const tasks = new Set(some);
        const told = toldBy(entries).filter(({ taskId }) => tasks.has(taskId)).map(lineOf);
        assertEquals((await (await Bench.of(entries, NO_TAIL, pages)).all(0, tasks)).map(lineOf), told);
        assertEquals((await (await Bench.of(entries, LONG_TAIL)).all(0, tasks)).map(lineOf), told);
      },
    ),
  );
});

Deno.test("a history longer than a page is told as if it were one", async () => {
  const kinds = ["progress", "paused", "progress", "resumed", "created", "progress", "retrying"];
  const entries = Array.from({ length: 3_300 }, (_, i) => {
    const body = { completed: i % 100, total: 100, attempt: 1 + Math.floor(i / 1_500), tags: ["a"] };
    return record(i + 1, `t${i % 7}`, kinds[i % kinds.length] ?? "progress", body);
  });
  const bench = await Bench.of(entries);
  const told = toldBy(entries);
  assertEquals((await bench.all(0)).map(lineOf), told.map(lineOf));
  assert(bench.reads >= 4, `${bench.reads} reads`);
  const tasks = new Set(["t2", "t5"]);
  assertEquals(
    (await bench.all(0, tasks)).map(lineOf),
    told.filter(({ taskId }) => tasks.has(taskId)).map(lineOf),
  );
});

Deno.test("who reads the log from any cursor on, and goes live anywhere, ends with each task as it is", async () => {
  const position = fc.nat(40);
  await fc.assert(
    fc.asyncProperty(
      arbitraryLog(TASKS),
      position,
      position,
      fc.boolean(),
      pages,
      async (entries, cursor, live, boots, pages) => {
        const bench = await Bench.of(entries, NO_TAIL, pages);
        if (boots) await bench.projection.boot();
        const after = Math.min(cursor, live, entries.length);
        const upTo = Math.min(Math.max(cursor, live), entries.length);
        const truly = toldBy(entries);
        const told = [...await bench.all(after, undefined, upTo), ...truly.filter(({ seq }) => seq > upTo)];
        for (const id of TASKS) {
          if (boots && isStraggling(entries, id)) continue; // the last of each kind tell another task
          const last = (all: readonly Delivery[]) =>
            all.findLast(({ taskId, status }) => taskId === id && status !== undefined)?.status?.frame.data
              .status;
          const seen = last(told);
          if (seen !== undefined) assertEquals(seen, last(truly), `${id} from ${after}, live from ${upTo}`);
        }
      },
    ),
    { numRuns: 500 },
  );
});

/** Whether an event of the task is of a lower attempt than an earlier one of its kind. */
function isStraggling(entries: readonly Entry[], id: string): boolean {
  const reached = new Map<string, number>();
  return entries.map(eventOf).some(({ taskId, kind, attempt }) => {
    if (taskId !== id) return false;
    const before = reached.get(kind) ?? 0;
    reached.set(kind, Math.max(before, attempt));
    return attempt < before;
  });
}

Deno.test("from any cursor on, the log leaves out no status change", async () => {
  await fc.assert(
    fc.asyncProperty(
      arbitraryLog(TASKS),
      fc.nat(40),
      fc.boolean(),
      pages,
      async (entries, cursor, booted, pages) => {
        const bench = await Bench.of(entries, NO_TAIL, pages);
        const after = Math.min(cursor, entries.length);
        if (booted) await bench.projection.boot();
        const told = await bench.all(after);
        const truly = toldBy(entries).filter(({ seq }) => seq > after);
        const has = new Map(told.map((one) => [one.seq, one]));
        for (const { seq, status } of truly) {
          assert(status === undefined || has.get(seq)?.status !== undefined, `${seq} is told`);
        }
        assertEquals(told.map(({ seq }) => seq), told.map(({ seq }) => seq).toSorted((a, b) => a - b));
      },
    ),
  );
});

Deno.test("a status of tasks born after the cursor is told from the log exactly as it was", async () => {
  await fc.assert(fc.asyncProperty(arbitraryLog(TASKS), fc.nat(20), pages, async (entries, after, pages) => {
    const bench = await Bench.of(entries, NO_TAIL, pages);
    const young = new Set(TASKS.filter((id) => {
      const first = entries.find(({ subject }) => subject.startsWith(`task.${id}.`));
      return first !== undefined && first.seq > after;
    }));
    const told = (await bench.all(Math.min(after, entries.length))).filter(({ taskId }) => young.has(taskId));
    const truly = toldBy(entries).filter(({ taskId }) => young.has(taskId));
    assertEquals(told.map(lineOf), truly.map(lineOf));
  }));
});

Deno.test("no page reaches beyond what was asked for, wherever it comes from", async () => {
  const entries = Array.from({ length: 20 }, (_, i) => record(i + 1, "t0", "progress", { completed: i }));
  for (const tail of [NO_TAIL, LONG_TAIL]) {
    const { history } = await Bench.of(entries, tail);
    for (const tasks of [undefined, new Set(["t0"])]) {
      const page = await history.page({ after: 3, upTo: 11, ...(tasks === undefined ? {} : { tasks }) });
      assertEquals(page.through, 11);
      assertEquals(deliveriesOf(page).map(({ seq }) => seq), [4, 5, 6, 7, 8, 9, 10, 11]);
    }
    const nothing = await history.page({ after: 11, upTo: 11 });
    assertEquals([deliveriesOf(nothing), nothing.through], [[], 11]);
  }
});

Deno.test("a page that many need is read once, even while it is on its way", async () => {
  const steps = Array.from({ length: 8 }, (_, i) => record(i + 2, "t0", "progress"));
  const bench = await Bench.of([record(1, "t0", "started"), ...steps]);
  const asked = Array.from({ length: 50 }, () => bench.history.page({ after: 2, upTo: 9 }));
  const pages = await Promise.all(asked);
  assertEquals(bench.reads, 1);
  for (const page of pages) assert(page.block === pages[0]?.block, "and folded once");
  await bench.history.page({ after: 2, upTo: 9 });
  assertEquals(bench.reads, 1);
});

Deno.test("a task of which nothing is known but its progress is read whole, once for all who need the page", async () => {
  const bench = await Bench.of(Array.from({ length: 600 }, (_, i) => record(i + 1, "t0", "progress")));
  const pages = await Promise.all(
    Array.from({ length: 50 }, () => bench.history.page({ after: 515, upTo: 600 })),
  );
  assertEquals(bench.reads, 2);
  for (const page of pages) {
    assertEquals(
      deliveriesOf(page).filter(({ status }) => status !== undefined),
      [],
      "it had been running before",
    );
  }
});

Deno.test("a page that could not be read is read again", async () => {
  const bench = await Bench.of([record(1, "t0", "started"), record(2, "t0", "paused")]);
  bench.log.gate = () => Promise.reject(new LogError("unreachable", "away"));
  for (const tasks of [undefined, new Set(["t0"])]) {
    const query = { after: 0, upTo: 2, ...(tasks === undefined ? {} : { tasks }) };
    await assertRejects(() => Promise.resolve(bench.history.page(query)), LogError);
  }
  bench.log.gate = () => Promise.resolve();
  assertEquals(deliveriesOf(await bench.history.page({ after: 0, upTo: 2 })).length, 2);
});

Deno.test("readers of different cursors share the pages of the stream", async () => {
  const bench = await Bench.of(
    Array.from({ length: 1_500 }, (_, i) => record(i + 1, `t${i}`, "progress", { completed: i })),
  );
  const cursors = Array.from({ length: 60 }, (_, i) => 1_024 + i);
  const pages = await Promise.all(cursors.map((after) => bench.history.page({ after, upTo: 1_500 })));
  assertEquals(bench.reads, 1);
  pages.forEach((page, i) => assertEquals(deliveriesOf(page)[0]?.seq, 1_025 + i));
});

Deno.test("readers of one task share its pages", async () => {
  const entries = Array.from(
    { length: 90 },
    (_, i) => record(i + 1, `t${i % 3}`, "progress", { completed: i }),
  );
  const bench = await Bench.of(entries);
  const asked = Array.from(
    { length: 50 },
    () => bench.history.page({ after: 0, upTo: 90, tasks: new Set(["t1"]) }),
  );
  for (const page of await Promise.all(asked)) assertEquals(deliveriesOf(page).length, 30);
  assertEquals(bench.reads, 1);
});

Deno.test("a replay asks for each task once how it was, not once a page", async () => {
  const entries = Array.from(
    { length: 4_000 },
    (_, i) => record(i + 1, `t${i % 20}`, "progress", { completed: i }),
  );
  const bench = await Bench.of(entries);
  await bench.projection.boot();
  bench.reads = 0;
  await bench.all(512);
  assert(bench.reads <= 7 + 20, `${bench.reads} reads for 7 pages of 20 tasks`);
});

Deno.test("in the tail, what is not for the topics held is passed over, a stretch at a time", async () => {
  const entries = Array.from(
    { length: 40_000 },
    (_, i) => record(i + 1, `t${i % 7}`, "progress", { completed: i }),
  );
  const long = boundsOf({ maxEvents: 100_000, maxBytes: 1e9 });
  const bench = await Bench.of([...entries, record(40_001, "rare", "started")], long);
  const held = new Map([["task:id:rare", 0]]);
  const rests: number[] = [];
  let cursor = 0;
  for (;;) {
    const page = await bench.history.page({ after: cursor, upTo: 40_001, held });
    cursor = page.through;
    if (page.rests !== true) {
      assertEquals(deliveriesOf(page).at(-1)?.taskId, "rare");
      break;
    }
    assertEquals(page.block.size, 0);
    rests.push(cursor);
  }
  assertEquals([cursor, bench.reads], [40_001, 0]);
  assert(rests.length >= 2 && rests.length <= 10, `${rests}`);
});

Deno.test("pages read once are not kept for ever", async () => {
  const entries = Array.from({ length: 400 }, (_, i) => record(i + 1, "t0", "progress", { completed: i }));
  const bench = await Bench.of(entries, NO_TAIL, { ...SMALL_PAGES, positions: 1 });
  for (let after = 0; after < 300; after++) await bench.history.page({ after, upTo: 400 });
  const { reads } = bench;
  await bench.history.page({ after: 299, upTo: 400 });
  assertEquals(bench.reads, reads, "the newest is");
  await bench.history.page({ after: 0, upTo: 400 });
  assertEquals(bench.reads, reads + 1, "the oldest is not");
});

Deno.test("what retention took before a page is told, and only where it took anything", async () => {
  const entries = Array.from({ length: 20 }, (_, i) => record(i + 1, `t${i % 2}`, "progress"));
  const bench = await Bench.of(entries);
  bench.log.dropBefore(8);
  const missedTo = async (after: number, tasks?: ReadonlySet<string>) =>
    (await bench.history.page({ after, upTo: 20, ...(tasks === undefined ? {} : { tasks }) })).missedTo;
  assertEquals(await missedTo(3), 7);
  assertEquals(await missedTo(6), 7);
  assertEquals(await missedTo(7), undefined);
  assertEquals(await missedTo(12), undefined);
  assertEquals(await missedTo(3, new Set(["t0"])), 7);
  assertEquals(await missedTo(7, new Set(["t0"])), undefined);
});

Deno.test("a log that lost everything says so up to where it was asked", async () => {
  const bench = await Bench.of(Array.from({ length: 5 }, (_, i) => record(i + 1, "t0", "progress")));
  bench.log.dropBefore(6);
  const page = await bench.history.page({ after: 1, upTo: 5 });
  assertEquals([deliveriesOf(page), page.through, page.missedTo], [[], 5, 5]);
});

Deno.test("a task's events come page by page as they were written, without what is no event", async () => {
  const bench = await Bench.of([
    record(1, "t0", "created", { name: "n", unknown: [1] }),
    record(2, "t1", "started"),
    record(3, "t0", "boom"),
    record(4, "t0", "progress", new Uint8Array()),
    record(5, "t0", "completed", { result: { deep: true } }),
  ]);
  assertEquals(await bench.history.events({ taskId: "t0", afterSeq: 0, limit: 2 }), {
    events: [{
      seq: 1,
      time: "2024-01-01T00:00:01.000Z",
      kind: "created",
      body: { name: "n", unknown: [1] },
    }],
    next_after_seq: 3,
  });
  assertEquals(await bench.history.events({ taskId: "t0", afterSeq: 3, limit: 100 }), {
    events: [
      { seq: 4, time: "2024-01-01T00:00:04.000Z", kind: "progress", body: {} },
      { seq: 5, time: "2024-01-01T00:00:05.000Z", kind: "completed", body: { result: { deep: true } } },
    ],
  });
  assertEquals(await bench.history.events({ taskId: "t0", afterSeq: 5, limit: 100 }), { events: [] });
  assertEquals(await bench.history.events({ taskId: "nobody", afterSeq: 0, limit: 100 }), undefined);
  assertEquals(await bench.history.events({ taskId: "nobody", afterSeq: 5, limit: 100 }), undefined);
});

Deno.test("the events of a task that has left memory are found all the same", async () => {
  const entries = [record(1, "t0", "completed"), record(2, "t1", "started"), record(3, "t2", "started")];
  const bench = await Bench.of(entries, boundsOf({ maxTasks: 1, maxEvents: 0 }));
  assertEquals(bench.projection.tasks.get("t0"), undefined);
  assertEquals((await bench.history.events({ taskId: "t0", afterSeq: 0, limit: 10 }))?.events.length, 1);
  assertEquals(await bench.history.events({ taskId: "t0", afterSeq: 1, limit: 10 }), { events: [] });
});

Deno.test("an attempt that only its progress tells of is not forgotten when that is said again", async () => {
  const bench = await Bench.of([
    record(1, "t0", "progress", { attempt: 3 }),
    record(2, "t0", "completed", { attempt: 1 }),
    record(3, "t0", "started", { attempt: 1 }),
    record(4, "t0", "progress", { attempt: 3 }),
  ]);
  await bench.projection.boot();
  assertEquals((await bench.all(2, undefined, 3)).map(lineOf), ["3 t0 [] running"]);
});
