import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { KnownIds } from "../../src/projection/known_ids.ts";

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/);

Deno.test("the filter never says no of an id that it saw", () => {
  fc.assert(
    fc.property(fc.array(id, { maxLength: 200 }), (ids) => {
      const known = new KnownIds();
      for (const one of ids) known.add(one);
      for (const one of ids) assert(known.mayHave(one), one);
      assertEquals(known.count, ids.length);
    }),
    { numRuns: 30 },
  );
});

Deno.test("an empty filter knows nobody", () => {
  fc.assert(fc.property(id, (one) => assert(!new KnownIds().mayHave(one))), { numRuns: 20 });
});

Deno.test("after a million ids of the usual kinds fewer than 2 % of the strangers are taken for known", () => {
  const known = new KnownIds();
  for (let i = 0; i < 500_000; i++) known.add(`task_${i}`);
  for (let i = 0; i < 500_000; i++) known.add(`${i.toString(16).padStart(8, "0")}-7f3a-4c1e`);
  let taken = 0;
  for (let i = 0; i < 20_000; i++) {
    if (known.mayHave(`job_${i}`)) taken++;
    if (known.mayHave(`${(i + 9_000_000).toString(16).padStart(8, "0")}-7f3a-4c1e`)) taken++;
  }
  assert(taken < 800, `${taken} of 40,000`);
});

Deno.test("after five million ids, too many for one filter, it still takes fewer than 5 % of the strangers for known", () => {
  const known = new KnownIds();
  for (let i = 0; i < 5_000_000; i++) known.add(`task_${i}`);
  for (let i = 0; i < 5_000_000; i += 4_999) assert(known.mayHave(`task_${i}`), `task_${i}`);
  let taken = 0;
  for (let i = 0; i < 20_000; i++) if (known.mayHave(`job_${i}`)) taken++;
  assert(taken < 1_000, `${taken} of 20,000`);
});

Deno.test("one who comes and goes for ever takes no room", () => {
  const known = new KnownIds();
  for (let i = 0; i < 3_000_000; i++) known.add(`task_${i % 3}`);
  let taken = 0;
  for (let i = 0; i < 20_000; i++) if (known.mayHave(`job_${i}`)) taken++;
  assertEquals([taken, known.count], [0, 3_000_000]);
});
