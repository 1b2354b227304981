import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Kind, KINDS } from "../../src/task/worker_event.ts";
import { Whereabouts } from "../../src/projection/whereabouts.ts";

const ROOMY = { perSubject: 1_000, maxBytes: 10_000_000 };
/** For one task of a few positions. */
const TIGHT = { perSubject: 10, maxBytes: 250 };

Deno.test("whereabouts know every position of a task once the past was walked over, in whatever order it was noted", () => {
  const record = fc.record({
    task: fc.constantFrom("a", "b"),
    kind: fc.constantFrom<Kind>("started", "progress", "failed"),
  });
  const records = fc.array(record, { maxLength: 100, size: "max" });
  fc.assert(fc.property(records, fc.nat(60), fc.nat(60), (records, walked, after) => {
    const whereabouts = new Whereabouts(ROOMY);
    const entries = records.map(({ task, kind }, i) => ({ task, kind, seq: i + 1 }));
    // What comes live is noted while the walk over the past goes on.
    for (const { task, kind, seq } of entries.slice(walked)) whereabouts.note(task, kind, seq, 1, true);
    for (const { task, kind, seq } of entries.slice(0, walked)) whereabouts.note(task, kind, seq, 1, false);
    assertEquals(whereabouts.of("a", 0), undefined);
    whereabouts.complete();
    const truth = entries.filter(({ task, seq }) => task === "a" && seq > after).map(({ seq }) => seq);
    assertEquals(whereabouts.of("a", after), truth);
    assertEquals(whereabouts.size, entries.length);
  }));
});

Deno.test("whereabouts remember no more of a kind than the log keeps of it, and the newest", () => {
  const whereabouts = new Whereabouts({ ...ROOMY, perSubject: 10 });
  whereabouts.complete();
  whereabouts.note("a", "created", 1, 1, false);
  for (let seq = 2; seq <= 10_000; seq++) {
    whereabouts.note("a", "progress", seq, 1, true);
    assert(whereabouts.size <= 60, `${whereabouts.size} positions are held`);
  }
  const newest = Array.from({ length: 10 }, (_, i) => 9_991 + i);
  assertEquals(whereabouts.of("a", 0), [1, ...newest]);
  assertEquals(whereabouts.size, 11);
});

Deno.test("what retention took is no position any more, and a task of which it took all costs nothing", () => {
  const whereabouts = new Whereabouts(ROOMY);
  whereabouts.complete();
  whereabouts.note("a", "created", 1, 1, false);
  whereabouts.note("b", "created", 2, 1, false);
  whereabouts.note("b", "started", 3, 1, true);
  whereabouts.expire(3);
  assertEquals([whereabouts.of("a", 0), whereabouts.of("b", 0)], [[], [3]]);
  whereabouts.note("a", "progress", 4, 1, true);
  assertEquals(whereabouts.of("a", 0), [4]);
  assertEquals(whereabouts.size, 2);
  whereabouts.expire(9);
  assertEquals([whereabouts.size, whereabouts.bytes], [0, 0]);
});

Deno.test("at the bound the task met first is forgotten whole, and is not taken for known when it goes on", () => {
  const whereabouts = new Whereabouts(TIGHT);
  whereabouts.complete();
  whereabouts.note("a", "created", 1, 1, false);
  whereabouts.note("a", "started", 2, 1, true);
  assertEquals(whereabouts.of("nobody", 0), [], "nobody was forgotten yet");
  whereabouts.note("b", "created", 3, 1, false);
  whereabouts.note("b", "started", 4, 1, true);
  whereabouts.note("a", "failed", 5, 1, true);
  assertEquals([whereabouts.of("a", 0), whereabouts.of("b", 0), whereabouts.size], [undefined, [3, 4], 2]);
  assertEquals([whereabouts.of("nobody", 0), whereabouts.deciding("a", 9)], [undefined, undefined]);
  assert(whereabouts.bytes <= TIGHT.maxBytes);
});

Deno.test("a past that is larger than the bound is not remembered at all", async () => {
  const whereabouts = new Whereabouts(TIGHT);
  for (let seq = 1; seq <= 5; seq++) whereabouts.note(`t${seq}`, "created", seq, 1, false);
  await whereabouts.settled;
  whereabouts.complete();
  assertEquals([whereabouts.isComplete, whereabouts.size, whereabouts.of("t5", 0)], [false, 0, undefined]);
});

Deno.test("whoever waits for the walk to be over hears of it, whether it came to its end or not", async () => {
  const [walked, broken, never] = [
    new Whereabouts(ROOMY),
    new Whereabouts(ROOMY),
    new Whereabouts({ ...ROOMY, maxBytes: 0 }),
  ];
  assertEquals([walked, broken, never].map(({ isSettled }) => isSettled), [false, false, true]);
  walked.complete();
  broken.giveUp();
  await Promise.all([walked.settled, broken.settled, never.settled]);
  assertEquals([walked, broken, never].map(({ isComplete }) => isComplete), [true, false, false]);
});

Deno.test("of progress the first of each attempt and the greatest decide, and all of the rest", () => {
  const said: (readonly [Kind, number])[] = [
    ["created", 1],
    ["progress", 1], // 2: the first
    ["progress", 1],
    ["progress", 1],
    ["created", 1],
    ["progress", 1],
    ["retrying", 1],
    ["progress", 2], // 8: the first of its attempt
    ["progress", 2],
    ["progress", 2], // 10: the greatest
    ["progress", 1],
    ["completed", 2],
  ];
  const whereabouts = new Whereabouts(ROOMY);
  whereabouts.complete();
  said.forEach(([kind, attempt], i) => whereabouts.note("a", kind, i + 1, attempt, i > 0));
  assertEquals(whereabouts.deciding("a", 99), [1, 2, 5, 7, 8, 10, 12]);
  assertEquals(whereabouts.deciding("a", 3), [1, 2, 3]);
  assertEquals(whereabouts.deciding("a", 0), []);
});

Deno.test("where attempts are too many to be told apart, all that was said of them decides", () => {
  const whereabouts = new Whereabouts(ROOMY);
  whereabouts.complete();
  [14, 15, 16, 15, 400, 14].forEach((attempt, i) => whereabouts.note("a", "progress", i + 1, attempt, i > 0));
  assertEquals(whereabouts.deciding("a", 99), [1, 2, 3, 4, 5]);
});

Deno.test("a position is told from every other, up to the last that there can be", () => {
  const kind = fc.constantFrom(...KINDS);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 45 - 2 }),
      kind,
      fc.integer({ min: 1 }),
      (seq, kind, attempt) => {
        const whereabouts = new Whereabouts(ROOMY);
        whereabouts.complete();
        for (const one of [seq + 1, seq]) whereabouts.note("a", kind, one, attempt, true);
        assertEquals(whereabouts.of("a", 0), [seq, seq + 1]);
      },
    ),
  );
});
