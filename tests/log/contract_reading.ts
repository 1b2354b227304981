import { assert, assertEquals } from "@std/assert";
import type { Facts } from "./contract.ts";
import { subjectMatches } from "../../src/log/event_log.ts";
import { expected, gathered, numbered, plain, positions, record, TRACE, whole } from "./probe.ts";

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

/** What a page promises. */
export const paging: Facts = {
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

  "a prefix that many subjects share is read as one that few do": async ({ log }) => {
    // 150 keys in 8,000 records: `data.wide.` every 40th, its keys in turn.
    const wide = (i: number) => i % 40 === 0;
    await log.append(
      numbered(8000, (i) => wide(i) ? `data.wide.k${(i / 40) % 150}` : `task.t${i % 70}.progress`),
    );
    const wanted = positions(0, 7999).filter(wide).map((i) => i + 1);
    assertEquals((await whole(log, "data.wide.>", 60)).map((e) => e.seq), wanted);
    assertEquals((await whole(log, "data.>", 1000)).map((e) => e.seq), wanted);
    assertEquals((await whole(log, "task.>", 1000)).length, 8000 - wanted.length);
  },
};

/** What the last record of each subject promises. */
export const lasts: Facts = {
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
    await log.append(numbered(3, (i) => `data.d.k${i}`));
    const lasts = await gathered(log.lastPerSubject("task.>"));
    assertEquals(lasts.map(plain), sent.map((r, i) => expected(i + 1, r)));
    assert(lasts.every((e) => e.traceparent === TRACE));
    assertEquals((await gathered(log.lastPerSubject())).map((e) => e.seq), positions(1, 2503));
  },

  "no subject is left out though appends go on meanwhile": async ({ log }) => {
    const subjects = Array.from({ length: 2500 }, (_, i) => `task.t${i}.progress`);
    await log.append(subjects.map((subject) => record(subject)));
    const met = new Map<string, number>();
    let appended = 0;
    for await (const batch of log.lastPerSubject()) {
      for (const { subject, seq } of batch) met.set(subject, seq);
      // The subject furthest from being reached moves to the head.
      const subject = subjects[subjects.length - ++appended];
      if (subject !== undefined && appended < 20) await log.append([record(subject)]);
    }
    assertEquals(subjects.filter((subject) => !met.has(subject)), []);
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
