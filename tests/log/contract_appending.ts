import { assert, assertEquals, assertExists } from "@std/assert";
import type { Facts } from "./contract.ts";
import {
  bytes,
  expected,
  first,
  followed,
  numbered,
  plain,
  record,
  rejection,
  TRACE,
  until,
  whole,
} from "./probe.ts";

/** What appending promises. */
export const appending: Facts = {
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

  "a closed log rejects everything as closed, its followers too, and may be closed again": async (
    { log },
  ) => {
    await log.append(numbered(3));
    const { epoch } = await log.extent();
    const life = new AbortController();
    const live = log.follow({ epoch, after: 3 }, life.signal)[Symbol.asyncIterator]();
    const ended = rejection(live.next());
    await log[Symbol.asyncDispose]();
    assertEquals((await ended).code, "closed");
    await log[Symbol.asyncDispose]();
    const attempts = [
      log.append([record("task.a.created")]),
      log.read({ after: 0, limit: 1 }),
      log.extent(),
      first(log.lastPerSubject()),
      first(log.follow({ epoch, after: 0 }, life.signal)),
    ];
    const codes = await Promise.all(attempts.map(async (attempt) => (await rejection(attempt)).code));
    assertEquals(codes, attempts.map(() => "closed"));
  },
};

/** What an id promises. */
export const deduplicating: Facts = {
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

  "of those who would all say what may be said once, one does": async ({ log }) => {
    await log.append([record("task.a.x", "1"), record("task.a.y", "2")]);
    const said = await Promise.all(
      ["one", "two", "three"].map((id) => log.append([{ ...record("task.a.y", id), last: 2 }])),
    );
    const outcomes = said.flat();
    assertEquals(outcomes.filter(({ overtaken }) => overtaken === true).length, 2);
    const taken = outcomes.findIndex(({ overtaken }) => overtaken !== true);
    assertEquals(outcomes[taken], { seq: 3, duplicate: false });
    assertEquals((await whole(log)).length, 3);
    const id = ["one", "two", "three"][taken];
    assertEquals(
      await log.append([{ ...record("task.a.y", id), last: 2 }]),
      [{ seq: 3, duplicate: true }],
      "who says the same again is told where it lies",
    );
  },

  "0 is the last of a subject of which there is nothing, others take it as what it is": async ({ log }) => {
    const outcomes = await log.append([
      { ...record("task.a.x"), last: 0 },
      { ...record("task.a.x"), last: 0 },
      { ...record("task.b.x"), last: 0 },
      { ...record("task.a.x"), last: 1 },
      { ...record("task.a.y"), last: 1 },
    ]);
    assertEquals(outcomes.map(({ seq, overtaken }) => overtaken === true ? undefined : seq), [
      1,
      undefined,
      2,
      3,
      undefined,
    ]);
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

/** What holds of records that others published past our checks. */
export const publishing: Facts = {
  "what a stranger published under an odd subject is handed over as it is": async ({ log, publish }) => {
    assertExists(publish, "the bench cannot publish");
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
};
