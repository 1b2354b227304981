import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Kind } from "../../src/task/worker_event.ts";
import { Whereabouts } from "../../src/projection/whereabouts.ts";

const ROOMY = { perSubject: 1_000, maxPositions: 1_000_000 };

Deno.test("whereabouts know every position of a task once the past was walked over, in whatever order it was noted", () => {
  const record = fc.record({
    task: fc.constantFrom("a", "b"),
    kind: fc.constantFrom<Kind>("started", "progress", "failed"),
  });
  fc.assert(fc.property(fc.array(record), fc.nat(60), fc.nat(60), (records, walked, after) => {
    const whereabouts = new Whereabouts(ROOMY);
    const entries = records.map(({ task, kind }, i) => ({
      task,
      kind,
      seq: i + 1,
    }));
    // What comes live is noted while the walk over the past goes on.
    for (const { task, kind, seq } of entries.slice(walked)) whereabouts.note(task, kind, seq, true);
    for (const { task, kind, seq } of entries.slice(0, walked)) whereabouts.note(task, kind, seq, false);
    assertEquals(whereabouts.of("a", 0), undefined);
    whereabouts.complete();
    const truth = entries.filter(({ task, seq }) => task === "a" && seq > after).map(({ seq }) => seq);
    assertEquals(whereabouts.of("a", after) ?? [], truth);
  }));
});

Deno.test("whereabouts remember no more of a kind than the log keeps of it, and the newest", () => {
  const whereabouts = new Whereabouts({ perSubject: 10, maxPositions: 1_000_000 });
  whereabouts.complete();
  whereabouts.note("a", "created", 1, false);
  for (let seq = 2; seq <= 10_000; seq++) whereabouts.note("a", "progress", seq, true);
  const known = whereabouts.of("a", 0) ?? [];
  assertEquals([known[0], known.at(-1), known.length <= 40, known.length >= 11], [1, 10_000, true, true]);
  assertEquals(whereabouts.size, known.length);
});

Deno.test("at the bound the task met first is forgotten whole, and is not taken for known when it goes on", () => {
  const whereabouts = new Whereabouts({ perSubject: 10, maxPositions: 3 });
  whereabouts.complete();
  whereabouts.note("a", "created", 1, false);
  whereabouts.note("a", "started", 2, true);
  whereabouts.note("b", "created", 3, false);
  whereabouts.note("b", "started", 4, true);
  whereabouts.note("a", "failed", 5, true);
  assertEquals([whereabouts.of("a", 0), whereabouts.of("b", 0), whereabouts.size], [undefined, [3, 4], 2]);
});

Deno.test("a past that is larger than the bound is not remembered at all", () => {
  const whereabouts = new Whereabouts({ perSubject: 10, maxPositions: 3 });
  for (let seq = 1; seq <= 5; seq++) whereabouts.note(`t${seq}`, "created", seq, false);
  whereabouts.complete();
  assertEquals([whereabouts.isComplete, whereabouts.size, whereabouts.of("t5", 0)], [false, 0, undefined]);
});
