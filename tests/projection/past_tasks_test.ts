import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { type Entry, LogError } from "../../src/log/event_log.ts";
import { type Past, pastAfter } from "../../src/projection/past.ts";
import { PastTasks } from "../../src/projection/past_tasks.ts";
import { Projection } from "../../src/projection/projection.ts";
import { KINDS, parseRecord } from "../../src/task/worker_event.ts";
import { MemoryLog } from "../connection/memory_log.ts";
import { record } from "./events.ts";

const PER_SUBJECT = 4;
const SMALL = { maxTasks: 10, tail: { maxEvents: 0, maxBytes: 0 } };

/** A log of some tasks, and what read it: by where the events lie, and without knowing that. */
class Bench {
  readonly log: MemoryLog;
  readonly projection: Projection;
  readonly unaware: Projection;
  /** How many records were read. */
  records = 0;
  /** How many reads there were, and how many of them by position. */
  reads = 0;
  byPosition = 0;
  #nowMs = 0;

  constructor(perSubject: number) {
    this.log = new MemoryLog({ now: () => this.#nowMs, retainPerSubject: perSubject });
    const whereabouts = { perSubject, maxBytes: 1_000_000 };
    this.projection = new Projection(this.log, { ...SMALL, whereabouts });
    this.unaware = new Projection(this.log, SMALL);
    const read = this.log.read.bind(this.log);
    this.log.read = async (query) => {
      this.reads++;
      if (query.positions !== undefined) this.byPosition++;
      const page = await read(query);
      this.records += page.entries.length;
      return page;
    };
  }

  /** A bench that booted when `walked` of the entries were there, and followed the rest. */
  static async of(entries: readonly Entry[], walked: number, perSubject = PER_SUBJECT): Promise<Bench> {
    const bench = new Bench(perSubject);
    for (const entry of entries.slice(0, walked)) bench.#put(entry);
    await bench.projection.boot();
    for (const entry of entries.slice(walked)) {
      bench.#put(entry);
      await bench.projection.apply([entry]);
      // The walk goes on beside it, and ends some time.
      if (entry.seq % 3 === 0) await bench.#learn();
    }
    await bench.#learn();
    assert(bench.projection.whereabouts.isComplete);
    bench.reads = 0;
    bench.byPosition = 0;
    bench.records = 0;
    return bench;
  }

  #put(entry: Entry): void {
    this.#nowMs = entry.time;
    this.log.put(entry);
  }

  async #learn(): Promise<void> {
    await this.projection.learnWhereabouts(new AbortController().signal);
  }

  /** A task as it was, by a straightforward fold of all that the log still has of it. */
  folded(id: string, at: number): Past | undefined {
    let past: Past | undefined;
    for (const entry of this.log.entries) {
      const parsed = parseRecord(entry);
      if (entry.seq > at || "rejected" in parsed || parsed.event.taskId !== id) continue;
      past = pastAfter(past, parsed.event);
    }
    return past;
  }
}

/** What moves a task from one status to another. */
const MOVES = KINDS.filter((kind) => kind !== "created" && kind !== "progress");
/** Some near the most that are told apart. */
const attempt = fc.constantFrom(1, 1, 1, 2, 3, 13, 14, 15, 16, 1_000);
const counters = fc.record({ completed: fc.nat(3), total: fc.constantFrom(4, 5, null) }, {
  requiredKeys: [],
});
const reason = fc.constantFrom("r", "s");
const said: fc.Arbitrary<readonly [string, unknown]> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(counters, attempt).map(([body, attempt]) =>
      ["progress", attempt === 1 ? body : { ...body, attempt }] as const
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({ total: fc.constantFrom(4, 6), name: reason, at: fc.constant(7) }, {
      requiredKeys: [],
    }).map((body) => ["created", body] as const),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constantFrom(...MOVES),
      fc.record({ attempt, progress: counters, reason, through: fc.nat(45) }, { requiredKeys: [] }),
    ),
  },
  // What is no event: some shows at once, some only to who reads it, some spells its attempt in another way.
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom("progress", "started", "created", "completed"),
      fc.constantFrom<unknown>({ attempt: 0 }, { total: -1, tags: "a", progress: 1, at: "x" }, "text"),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constant(
      ["progress", new TextEncoder().encode('{"\\u0061ttempt":2,"completed":1}')] as const,
    ),
  },
);
const TASKS = ["t0", "t1"];
const histories = fc.array(fc.tuple(fc.constantFrom(...TASKS), said), { maxLength: 45, size: "max" })
  .map((all) => all.map(([id, [kind, body]], i) => record(i + 1, id, kind, body)));

Deno.test("a task at any position is the fold of all of its events up to there, marks and all, though few are read", async () => {
  const cap = fc.constantFrom(PER_SUBJECT, 1_000, 1_000);
  await fc.assert(
    fc.asyncProperty(histories, fc.nat(45), cap, fc.nat(8), async (entries, walked, cap, dropped) => {
      const bench = await Bench.of(entries, walked, cap);
      bench.log.dropBefore(dropped);
      for (const id of TASKS) {
        for (let at = 0; at <= entries.length; at++) {
          const past = await bench.projection.stateAt(id, at);
          assertEquals(past, bench.folded(id, at), `${id} at ${at}`);
        }
      }
      assertEquals(bench.reads, bench.byPosition, "nothing was searched");
    }),
    { numRuns: 300 * Number(Deno.env.get("RUNS") ?? 1) },
  );
});

Deno.test("so it is where nothing is known of where its events lie", async () => {
  await fc.assert(
    fc.asyncProperty(histories, fc.nat(45), async (entries, at) => {
      const bench = await Bench.of(entries, 0);
      for (const id of TASKS) assertEquals(await bench.unaware.stateAt(id, at), bench.folded(id, at));
    }),
  );
});

Deno.test("many tasks are read together, each as it was at a position of its own", async () => {
  await fc.assert(
    fc.asyncProperty(histories, fc.nat(45), fc.nat(45), async (entries, one, other) => {
      const bench = await Bench.of(entries, 20);
      const ats = new Map([["t0", one], ["t1", other], ["nobody", 9]]);
      const pasts = await bench.projection.statesAt(ats);
      const expected = TASKS.flatMap((id) => {
        const past = bench.folded(id, ats.get(id) ?? 0);
        return past === undefined ? [] : [[id, past] as const];
      });
      assertEquals(new Map([...pasts].sort()), new Map(expected));
    }),
  );
});

Deno.test("a task as the log has it now is the fold of all it has", async () => {
  await fc.assert(fc.asyncProperty(histories, async (entries) => {
    const bench = await Bench.of(entries, 20);
    for (const id of TASKS) {
      assertEquals(await bench.projection.stateFromLog(id), bench.folded(id, Infinity));
    }
  }));
});

Deno.test("of a thousand reports of progress two are read", async () => {
  const steps = Array.from({ length: 1_000 }, (_, i) => record(i + 2, "t0", "progress", { completed: i }));
  const bench = await Bench.of([record(1, "t0", "created"), ...steps], 500, 10_000);
  const { state, ...marks } = await bench.projection.stateAt("t0", 900) ?? {};
  const { time: statusTimeMs } = record(2, "t0", "progress");
  const { time: progressTimeMs } = record(900, "t0", "progress");
  assertEquals(marks, { bornSeq: 1, statusSeq: 2, statusTimeMs, progressSeq: 900, progressTimeMs });
  assertEquals(state?.top.seq, 900);
  assertEquals([bench.reads, bench.records], [1, 3]);
});

Deno.test("five hundred tasks are one or two reads of the log, and what was no event is not read twice", async () => {
  const ids = Array.from({ length: 500 }, (_, i) => `t${i}`);
  const entries = ids.flatMap((id, i) => [
    record(3 * i + 1, id, "created"),
    record(3 * i + 2, id, "started"),
    record(3 * i + 3, id, "completed", i === 7 ? "rubbish" : {}),
  ]);
  const bench = await Bench.of(entries, entries.length);
  const ats = new Map(ids.map((id) => [id, 1_500]));
  assertEquals((await bench.projection.statesAt(ats)).size, 500);
  assertEquals(bench.reads, 3, "two, and one for the task whose end is no event");
  assertEquals((await bench.projection.statesAt(ats)).get("t7")?.state.top.kind, "started");
  assertEquals(bench.reads, 5);
  assertEquals(bench.byPosition, bench.reads);
});

Deno.test("while the log is away there is no past, and nothing goes on behind the back of who asked", async () => {
  const log = new MemoryLog({ now: () => 0 });
  for (let i = 0; i < 100; i++) log.put(record(i + 1, `t${i}`, "started"));
  const projection = new Projection(log, SMALL);
  const pasts = new PastTasks(log, () => projection.whereabouts);
  let waiting = 0;
  let most = 0;
  log.gate = async () => {
    most = Math.max(most, ++waiting);
    await Promise.resolve();
    waiting--;
    throw new LogError("unreachable", "away");
  };
  const ats = new Map(Array.from({ length: 100 }, (_, i) => [`t${i}`, 100]));
  await assertRejects(() => pasts.at(ats), LogError);
  assertEquals(waiting, 0);
  assertEquals(most, 16, "a few at once");
});

Deno.test("what was heard before somebody said that nothing was decides whether that told anything", async () => {
  const entries = [
    record(1, "t0", "started"),
    record(2, "t0", "progress", { completed: 1 }),
    record(3, "t0", "progress", { completed: 2 }),
    record(4, "t0", "stale", { through: 2 }),
    record(5, "t0", "progress", { completed: 3 }),
  ];
  const bench = await Bench.of(entries, 0, 1_000);
  assertEquals(await bench.projection.stateAt("t0", 5), bench.folded("t0", 5));
});
