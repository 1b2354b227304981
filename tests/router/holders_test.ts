import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Scope } from "../../src/access/scope.ts";
import { Audience } from "../../src/router/audience.ts";
import { Holders } from "../../src/router/holders.ts";
import { json } from "../../src/protocol/codec.ts";

function audience(...patterns: readonly string[]): Audience {
  const scope = Scope.of(patterns);
  const options = { key: scope.key, topics: new Set<string>(), codec: json };
  return new Audience({ ...options, scope: scope.hasEveryTask ? undefined : scope }, 0);
}

const name = fc.stringMatching(/^[ab]{1,3}$/);
const pattern = fc.oneof(
  fc.constantFrom("*", "task:*", "data:*", "task:id:*", "task:tag:*"),
  fc.tuple(fc.constantFrom("id", "tag"), name, fc.constantFrom("", "*")).map(([kind, text, rest]) =>
    `task:${kind}:${text}${rest}`
  ),
);
const task = fc.record({ taskId: name, tags: fc.array(name, { maxLength: 2 }) });

Deno.test("those who hold a topic are found for a task whenever they may see it, and never otherwise", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(pattern, { maxLength: 3 }), fc.boolean()), { maxLength: 6 }),
      task,
      (held, names) => {
        const holders = new Holders();
        const all = held.map(([patterns, stays]) => ({ audience: audience(...patterns), stays }));
        for (const one of all) holders.add(one.audience);
        for (const one of all) if (!one.stays) holders.delete(one.audience);
        const expected = all.filter(({ audience: { scope }, stays }) =>
          stays && scope?.sees(names) !== false
        );
        assertEquals(new Set(holders.of(names)), new Set(expected.map((one) => one.audience)));
        for (const one of all) holders.delete(one.audience);
        assertEquals(holders.isEmpty, true);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("of a thousand tenants none is looked at whom an event is not for", () => {
  const holders = new Holders();
  for (let i = 0; i < 1_000; i++) holders.add(audience(`task:tag:tenant-${i}`, `task:id:tenant-${i}-*`));
  const found = [...holders.of({ taskId: "tenant-7-a", tags: ["tenant-7"] })];
  assertEquals(new Set(found).size, 1);
  assertEquals(found.length, 2, "by its id and by its tag");
});
