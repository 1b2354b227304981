import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import {
  type Entry,
  type EventLog,
  type Followed,
  LogError,
  type NewEntry,
  subjectMatches,
} from "../../src/log/event_log.ts";

/** What a test asks of the log it opens. The dedup window is never longer than the age. */
export type LogLimits = {
  readonly retainAgeMs: number;
  readonly retainPerSubject: number;
  readonly dedupWindowMs: number;
};

/**
 * A fresh, empty log under test, and what the world can do to it. Disposing it leaves nothing behind.
 * The methods are called detached: they may not use `this`.
 */
export interface LogBench extends AsyncDisposable {
  readonly log: EventLog;
  /** Closes the log and opens what it stored again. The bench disposes of both. */
  reopen(): Promise<EventLog>;
  /** Deletes the stream and makes it again, empty, under the living log. */
  recreate(): Promise<void>;
  /** Lets `ms` pass by the log's clock: really, where that clock cannot be set. */
  passTime(ms: number): Promise<void>;
  /** Takes the server away and brings it back, under the living log; returns when it is back. */
  restart?(): Promise<void>;
  /** Removes every record without making another stream. */
  purge?(): Promise<void>;
  /** Publishes as a stranger does, past our own checks. */
  publish?(subject: string, body: Uint8Array): Promise<void>;
}

/** How the suite runs an adapter. */
export type ContractOptions = {
  /** Whether Deno's op and resource sanitizers watch each test. Default: they do. */
  readonly sanitize?: boolean;
};

type Fact = (bench: LogBench) => Promise<void>;
type Facts = Readonly<Record<string, Fact | readonly [Partial<LogLimits>, Fact]>>;

const ROOMY: LogLimits = { retainAgeMs: 3_600_000, retainPerSubject: 1000, dedupWindowMs: 120_000 };
const DEADLINE_MS = 15_000;
const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/** Registers every fact that holds for an {@link EventLog}, for the adapter that `open` makes. */
export function describeEventLog(
  name: string,
  open: (limits: LogLimits) => Promise<LogBench>,
  { sanitize = true }: ContractOptions = {},
): void {
  const facts = { ...APPENDING, ...DEDUPLICATING, ...PAGING, ...LAST, ...RETAINING, ...FOLLOWING, ...EPOCHS };
  for (const [sentence, fact] of Object.entries(facts)) {
    const [limits, holds] = typeof fact === "function" ? [{}, fact] : fact;
    Deno.test({
      name: `${name}: ${sentence}`,
      sanitizeOps: sanitize,
      sanitizeResources: sanitize,
      async fn() {
        await using bench = await open({ ...ROOMY, ...limits });
        await holds(bench);
      },
    });
  }
}

const APPENDING: Facts = {
  "positions start at 1 and grow by one": async ({ log }) => {
    assertEquals(await log.append([record("task.a.created")]), [{ seq: 1, duplicate: false }]);
    const rest = await log.append([record("task.a.started"), record("task.b.created")]);
    assertEquals(rest.map((r) => r.seq), [2, 3]);
    assertEquals(await log.append([]), []);
  },

  "what is acknowledged is there, in order, and after reopening": async (bench) => {
    const sent = numbered(250, (i) => `task.t${i % 7}.progress`);
    await bench.log.append(sent.slice(0, 200));
    await bench.log.append(sent.slice(200));
    assertEquals((await whole(bench.log)).map(plain), sent.map((r, i) => expected(i + 1, r)));
    const again = await bench.reopen();
    assertEquals((await whole(again)).map(plain), sent.map((r, i) => expected(i + 1, r)));
    assertEquals((await again.append([record("task.t0.progress")])).map((r) => r.seq), [251]);
  },

  "appends called together each get their own positions, in the order of the calls": async ({ log }) => {
    const calls = Array.from(
      { length: 40 },
      (_, i) => log.append([record(`task.a.k${i}`), record("task.b.x")]),
    );
    const results = (await Promise.all(calls)).flat();
    assertEquals(results.map((r) => r.seq), results.map((_, i) => i + 1));
    const subjects = (await whole(log)).map((e) => e.subject);
    assertEquals(subjects.filter((_, i) => i % 2 === 0), calls.map((_, i) => `task.a.k${i}`));
  },

  "bodies and subjects come back byte for byte": async ({ log }) => {
    const bodies = [
      bytes(""),
      bytes("{}"),
      Uint8Array.from({ length: 256 }, (_, i) => i),
      bytes('{"ä":"😀"}'),
    ];
    bodies.push(new Uint8Array(65_536 + 1).fill(0x7b));
    // A view into a larger buffer: only what is viewed may be stored.
    bodies.push(bytes("xxxbodyxxx").subarray(3, 7));
    await log.append(bodies.map((body, i) => ({ subject: `task.ä${i}.progress`, body })));
    const entries = await whole(log);
    assertEquals(entries.map((e) => [...e.body]), bodies.map((body) => [...body]));
    assertEquals(entries.map((e) => e.subject), bodies.map((_, i) => `task.ä${i}.progress`));
  },

  "a producer's trace context is kept, and absent where none was given": async ({ log }) => {
    await log.append([{ ...record("task.a.created"), traceparent: TRACE }, record("task.a.started")]);
    const [traced, plainOne] = await whole(log);
    assertEquals(traced?.traceparent, TRACE);
    assert(plainOne !== undefined && !("traceparent" in plainOne));
  },

  "times are milliseconds of the log's clock and never go back": async ({ log, passTime }) => {
    await log.append([record("task.a.created")]);
    await passTime(30);
    await log.append(numbered(5));
    const times = (await whole(log)).map((e) => e.time);
    assert(
      times.every((time) => Number.isInteger(time) && Math.abs(time - Date.now()) < 600_000),
      `${times}`,
    );
    assertEquals(times, times.toSorted((a, b) => a - b));
    assert((times.at(-1) ?? 0) - (times[0] ?? 0) >= 25, `${times}`);
  },

  "a body of 2 MiB is refused, nothing of its batch is stored, and appending goes on": async ({ log }) => {
    const huge = { subject: "task.a.progress", body: new Uint8Array(2 * 1024 * 1024) };
    assertEquals((await rejection(log.append([record("task.a.created"), huge]))).code, "refused");
    assertEquals(await log.append([record("task.b.created")]), [{ seq: 1, duplicate: false }]);
  },

  "a subject that is not made of plain tokens is refused": async ({ log }) => {
    const hostile = [
      "",
      ".",
      "task..a",
      ".task",
      "task.",
      "task.a b",
      "task.*.x",
      "task.>",
      "a\r\nPUB x 0\r\n",
    ];
    for (const subject of [...hostile, "a\ud800", "a".repeat(5000)]) {
      const refused = await rejection(log.append([record(subject)]), `${JSON.stringify(subject)} was taken`);
      assertEquals(refused.code, "refused");
    }
    assertEquals((await log.extent()).lastSeq, 0);
  },

  "an id or a trace context that would not fit a header is refused": async ({ log }) => {
    for (const text of ["a\r\nX: y", "a\nb", "ä", "a".repeat(5000)]) {
      assertEquals((await rejection(log.append([record("task.a.x", text)]), text)).code, "refused");
      const traced = { ...record("task.a.x"), traceparent: text };
      assertEquals((await rejection(log.append([traced]), text)).code, "refused");
    }
    assertEquals((await log.extent()).lastSeq, 0);
  },

  "what a stranger published under an odd subject is handed over as it is": async ({ log, publish }) => {
    if (publish === undefined) return;
    const odd = [
      "task.a.progress.extra",
      "task.a*b.progress",
      "task.b>c.progress",
      "task.ünïcode.progress",
      "task.a",
    ];
    for (const subject of odd) await publish(subject, bytes("not JSON"));
    const entries = await until(async () => {
      const all = await whole(log);
      return all.length === odd.length ? all : undefined;
    });
    assertEquals(entries.map((e) => e.subject), odd);
    await log.append([record("task.good.progress")]);
    const seen = await followed(log, 0, (got) => got.entries.length === odd.length + 1);
    assertEquals(seen.entries.map((e) => e.subject), [...odd, "task.good.progress"]);
  },

  "a closed log rejects everything as closed, its followers too, and may be closed again": async (
    { log },
  ) => {
    await log.append(numbered(3));
    const { epoch } = await log.extent();
    const life = new AbortController();
    const live = log.follow({ epoch, after: 3 }, life.signal)[Symbol.asyncIterator]();
    const waiting = live.next();
    await log[Symbol.asyncDispose]();
    assertEquals((await rejection(waiting)).code, "closed");
    await log[Symbol.asyncDispose]();
    const attempts = [
      log.append([record("task.a.created")]),
      log.read({ after: 0, limit: 1 }),
      log.extent(),
      first(log.lastPerSubject()),
      first(log.follow({ epoch, after: 0 }, life.signal)),
    ];
    for (const attempt of attempts) assertEquals((await rejection(attempt)).code, "closed");
  },
};

const DEDUPLICATING: Facts = {
  "an id seen before adds nothing and answers with the first position": async ({ log }) => {
    await log.append([record("task.a.created", "1"), record("task.a.started", "2")]);
    const again = await log.append([record("task.a.started", "2")]);
    assertEquals(again, [{ seq: 2, duplicate: true }]);
    assertEquals((await whole(log)).length, 2);
  },

  "outcomes keep the order of a batch that mixes new, repeated and nameless records": async ({ log }) => {
    await log.append([record("task.a.x", "1"), record("task.a.x", "2")]);
    const ids = ["2", "3", "3", undefined, "1", "4", "2", undefined];
    const outcomes = await log.append(ids.map((id) => record("task.a.x", id)));
    assertEquals(outcomes.map((o) => [o.seq, o.duplicate]), [
      [2, true],
      [3, false],
      [3, true],
      [4, false],
      [1, true],
      [5, false],
      [2, true],
      [6, false],
    ]);
    assertEquals((await whole(log)).length, 6);
  },

  "records without an id are never taken for each other": async ({ log }) => {
    await log.append([record("task.a.x"), record("task.a.x"), record("task.a.x", "")]);
    await log.append([record("task.a.x", "")]);
    assertEquals((await log.extent()).lastSeq, 4);
  },

  "an id is known again after reopening": async (bench) => {
    await bench.log.append([record("task.a.created", "1"), record("task.a.started", "2")]);
    const again = await bench.reopen();
    assertEquals(await again.append([record("task.a.created", "1"), record("task.a.done", "3")]), [
      { seq: 1, duplicate: true },
      { seq: 3, duplicate: false },
    ]);
  },

  "an id whose record was retired is still known": [{ retainPerSubject: 1 }, async ({ log }) => {
    await log.append([record("task.a.x", "1"), record("task.a.x", "2"), record("task.a.x", "3")]);
    assertEquals(await log.append([record("task.a.x", "1")]), [{ seq: 1, duplicate: true }]);
  }],

  "an id is forgotten when the window has passed": [{ dedupWindowMs: 400 }, async ({ log, passTime }) => {
    await log.append([record("task.a.x", "1")]);
    assertEquals((await log.append([record("task.a.x", "1")])).map((r) => r.duplicate), [true]);
    await passTime(500);
    const [fresh] = await until(async () => {
      const outcome = await log.append([record("task.a.x", "1")]);
      return outcome[0]?.duplicate ? undefined : outcome;
    });
    assertEquals(fresh, { seq: 2, duplicate: false });
    assertEquals(await log.append([record("task.a.x", "1")]), [{ seq: 2, duplicate: true }]);
  }],
};

/** Subjects that a careless prefix or pattern match would mix up. */
const NEAR_MISSES = [
  "task.x.progress",
  "task.x",
  "task.xy.progress",
  "task.X.progress",
  "task.x_y.progress",
  "task.x-.progress",
  "task.x.progress.deep",
  "task.x/.progress",
  "task.x%.progress",
  "data.x.progress",
  "task.x.started",
  "task.y.progress",
];

const PAGING: Facts = {
  "pages of the whole stream, laid end to end, are the stream": async ({ log }) => {
    await log.append(numbered(50));
    for (const limit of [1, 7, 49, 50, 51, 1000]) {
      assertEquals((await whole(log, undefined, limit)).map((e) => e.seq), positions(1, 50));
    }
  },

  "pages by subject hold exactly what the subject names": async ({ log }) => {
    const sent = Array.from({ length: 8 }, () => NEAR_MISSES).flat().map((subject) => record(subject));
    await log.append(sent);
    const filters = [
      "task.x.progress",
      "task.x",
      "task.x.>",
      "task.x.progress.>",
      "task.>",
      "data.x.>",
      "task.none",
    ];
    for (const filter of filters) {
      const wanted = sent.flatMap((r, i) => subjectMatches(filter, r.subject) ? [i + 1] : []);
      for (const limit of [3, 1000]) {
        assertEquals((await whole(log, filter, limit)).map((e) => e.seq), wanted, `${filter} by ${limit}`);
      }
    }
  },

  "a page that ends early reaches its bound, else it reaches at least its last record": async ({ log }) => {
    // Subjects a b c a b c …: a at 1, 4, 7, …, 28.
    await log.append(numbered(30, (i) => `task.${"abc"[i % 3]}.progress`));
    const page = async (after: number, limit: number, upTo?: number) => {
      const query = { after, limit, subject: "task.a.progress", ...(upTo === undefined ? {} : { upTo }) };
      const { entries, through } = await log.read(query);
      return { seqs: entries.map((e) => e.seq), through };
    };
    assertEquals(await page(0, 100), { seqs: positions(1, 28, 3), through: 30 });
    assertEquals(await page(10, 100, 20), { seqs: [13, 16, 19], through: 20 });
    assertEquals(await page(28, 100), { seqs: [], through: 30 });
    assertEquals(await page(30, 100), { seqs: [], through: 30 });
    assertEquals(await page(20, 100, 21), { seqs: [], through: 21 });
    assertEquals(await page(0, 100, 5000), { seqs: positions(1, 28, 3), through: 30 });
    const full = await page(0, 4);
    assertEquals(full.seqs, [1, 4, 7, 10]);
    assert(full.through >= 10 && full.through < 13, `through ${full.through}`);
  },

  "a page of a subject nobody used is empty and reaches the head": async ({ log }) => {
    assertEquals(await log.read({ after: 0, limit: 10 }), { entries: [], through: 0 });
    await log.append(numbered(5));
    assertEquals(await log.read({ after: 0, limit: 10, subject: "task.nobody.>" }), {
      entries: [],
      through: 5,
    });
    assertEquals(await log.read({ after: 0, limit: 10, subject: "data.no.k" }), { entries: [], through: 5 });
  },

  "a subject few among many fills its pages over the holes": async ({ log }) => {
    await log.append(
      numbered(3000, (i) => i % 600 === 0 ? "task.rare.progress" : `task.t${i % 50}.progress`),
    );
    assertEquals((await whole(log, "task.rare.>", 2)).map((e) => e.seq), [1, 601, 1201, 1801, 2401]);
    assertEquals(
      (await log.read({ after: 601, limit: 10, subject: "task.rare.>", upTo: 1300 })).entries.length,
      1,
    );
  },
};

const LAST: Facts = {
  "the last record of each subject comes in order of position": async ({ log }) => {
    await log.append(["a", "b", "c", "b", "a", "d"].map((id) => record(`task.${id}.progress`)));
    const lasts = await gathered(log.lastPerSubject());
    assertEquals(lasts.map((e) => [e.seq, e.subject]), [
      [3, "task.c.progress"],
      [4, "task.b.progress"],
      [5, "task.a.progress"],
      [6, "task.d.progress"],
    ]);
  },

  "the last record of each subject below a prefix leaves its neighbours out": async ({ log }) => {
    await log.append([...NEAR_MISSES, ...NEAR_MISSES].map((subject, i) => record(subject, `${i}`)));
    for (const filter of ["task.x.>", "task.>", "data.>", "task.none.>"]) {
      const wanted = NEAR_MISSES.filter((subject) => subjectMatches(filter, subject));
      assertEquals((await gathered(log.lastPerSubject(filter))).map((e) => e.subject), wanted, filter);
    }
  },

  "an empty log has no last records": async ({ log }) => {
    assertEquals(await gathered(log.lastPerSubject()), []);
    assertEquals(await gathered(log.lastPerSubject("task.x.>")), []);
  },

  "thousands of subjects come whole, each once, with body and trace": async ({ log }) => {
    const sent = numbered(2500, (i) => `task.t${i}.progress`).map((r) => ({ ...r, traceparent: TRACE }));
    for (let i = 0; i < sent.length; i += 500) await log.append(sent.slice(i, i + 500));
    const lasts = await gathered(log.lastPerSubject());
    assertEquals(lasts.map(plain), sent.map((r, i) => expected(i + 1, r)));
    assert(lasts.every((e) => e.traceparent === TRACE));
  },

  "leaving the last records half-way leaves nothing behind": async ({ log }) => {
    await log.append(numbered(1500, (i) => `task.t${i}.progress`));
    for await (const batch of log.lastPerSubject()) {
      assert(batch.length > 0);
      break;
    }
    assertEquals((await log.append([record("task.a.x")])).map((r) => r.seq), [1501]);
  },
};

const RETAINING: Facts = {
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

  "a purged log keeps its head and its epoch, and its follower is told": async ({ log, purge }) => {
    if (purge === undefined) return;
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

const FOLLOWING: Facts = {
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
    assertEquals(seen.kinds.filter((kind) => kind !== "reachable" && kind !== "entries"), []);
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

  "a living log and its follower outlast a restart of the server": async ({ log, restart }) => {
    if (restart === undefined) return;
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

const EPOCHS: Facts = {
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
    assertEquals(seen.kinds.filter((kind) => kind !== "reachable")[0], "epoch");
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

/** Follows ten records, makes the stream again and appends `count` records to it, all under the living follower. */
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

/** What a follower was brought, told apart by kind. */
class Collected {
  readonly kinds: Followed["kind"][] = [];
  readonly entries: Entry[] = [];
  readonly missed: number[] = [];
  readonly extents: Extract<Followed, { kind: "epoch" }>["extent"][] = [];
  /** Every position, brought or missed, in the order it was told. */
  readonly covered: number[] = [];
  epoch = "";

  add(item: Followed): void {
    this.kinds.push(item.kind);
    switch (item.kind) {
      case "entries":
        assert(item.entries.length > 0, "a batch is never empty");
        this.entries.push(...item.entries);
        this.covered.push(...item.entries.map((e) => e.seq));
        return;
      case "missed":
        this.missed.push(...positions(item.from, item.to));
        this.covered.push(...positions(item.from, item.to));
        return;
      case "epoch":
        this.extents.push(item.extent);
        return;
      case "reachable":
        return;
    }
  }
}

/** Follows from `after` until `enough`; fails after a deadline with what it had got by then. */
async function followed(
  log: EventLog,
  after: number,
  enough: (got: Collected) => boolean,
  epoch?: string,
): Promise<Collected> {
  const from = { epoch: epoch ?? (await log.extent()).epoch, after };
  const collected = new Collected();
  collected.epoch = from.epoch;
  using life = lifetime();
  await within(
    collect(log.follow(from, life.signal), collected, enough),
    () => `got ${JSON.stringify(collected.kinds)}, positions ${JSON.stringify(collected.covered)}`,
  );
  return collected;
}

async function collect(
  items: AsyncIterable<Followed>,
  into: Collected,
  enough: (got: Collected) => boolean,
): Promise<void> {
  for await (const item of items) {
    into.add(item);
    if (enough(into)) return;
  }
}

/** An abort signal that ends with its scope. */
function lifetime(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  return { signal: controller.signal, [Symbol.dispose]: () => controller.abort() };
}

/** Every record of `subject`, page by page, checking of each page that it keeps to its query. */
async function whole(log: EventLog, subject?: string, limit = 100): Promise<readonly Entry[]> {
  const { lastSeq } = await log.extent();
  const entries: Entry[] = [];
  for (let after = 0; after < lastSeq;) {
    const page = await log.read({ after, limit, ...(subject === undefined ? {} : { subject }) });
    assert(page.entries.length <= limit);
    assert(page.through > after, `through ${page.through} does not pass ${after}`);
    assert(page.entries.every((e) => e.seq > after && e.seq <= page.through));
    if (page.entries.length < limit) assert(page.through >= lastSeq, `short page ends at ${page.through}`);
    entries.push(...page.entries);
    after = page.through;
  }
  return entries;
}

async function gathered(batches: AsyncIterable<readonly Entry[]>): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for await (const batch of batches) entries.push(...batch);
  return entries;
}

async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** Resolves with the first answer that is not undefined, asking until the deadline. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (const end = performance.now() + DEADLINE_MS; performance.now() < end;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Nothing came of it within ${DEADLINE_MS} ms`);
}

/** Resolves as `promise` does, or fails at the deadline with what `state` says. */
async function within<T>(promise: Promise<T>, state: () => string = () => "nothing came"): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Within ${DEADLINE_MS} ms: ${state()}`)), DEADLINE_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function rejection(promise: Promise<unknown>, message?: string): Promise<LogError> {
  return assertRejects(
    async () => {
      const value = await promise;
      throw new TypeError(message ?? `Expected a LogError, got ${JSON.stringify(value)}`);
    },
    LogError,
  );
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function record(subject: string, id?: string): NewEntry {
  return { subject, body: bytes(`{"of":"${id ?? ""}"}`), ...(id === undefined ? {} : { id }) };
}

/** `count` records with bodies of their own; with ids where `ids` gives their first part. */
function numbered(
  count: number,
  subject: (index: number) => string = () => "task.a.progress",
  ids = "",
): readonly NewEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    subject: subject(i),
    body: bytes(`{"completed":${i}}`),
    ...(ids === "" ? {} : { id: `${ids}-${i}` }),
  }));
}

/** The positions `from`…`to`. */
function positions(from: number, to: number, step = 1): number[] {
  const all: number[] = [];
  for (let seq = from; seq <= to; seq += step) all.push(seq);
  return all;
}

function plain(entry: Entry): readonly [number, string, string] {
  return [entry.seq, entry.subject, new TextDecoder().decode(entry.body)];
}

function expected(seq: number, { subject, body }: NewEntry): readonly [number, string, string] {
  return [seq, subject, new TextDecoder().decode(body)];
}
