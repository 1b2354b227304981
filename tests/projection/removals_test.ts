import { assertEquals } from "@std/assert";
import { Scope, type TaskNames } from "../../src/access/scope.ts";
import { Removals } from "../../src/projection/removals.ts";
import { untagged } from "./task_names.ts";

function whole(max?: number): Removals {
  const removals = new Removals(max);
  removals.reset(0, true);
  return removals;
}

Deno.test("what left after a position is told, at that position too, and each task once", () => {
  const removals = whole();
  removals.note(untagged("a", "b"), 5);
  removals.note(untagged("c"), 7);
  removals.note(untagged("a"), 9);
  const after = (at: number, until?: number) => [...removals.after({ at, count: 0 }, until)];
  assertEquals([after(0), after(5), after(6), after(9), after(10)], [
    untagged("a", "b", "c"),
    untagged("a", "b", "c"),
    untagged("c", "a"),
    untagged("a"),
    [],
  ]);
  assertEquals([after(0, 5), after(0, 7), after(5, 9)], [[], untagged("a", "b"), untagged("a", "b", "c")]);
});

Deno.test("who was told of some at a position is told of the others there", () => {
  const removals = whole();
  removals.note(untagged("a", "b"), 5);
  const told = { at: 5, count: removals.count };
  removals.note(untagged("c"), 5);
  assertEquals([...removals.after(told)], untagged("c"));
});

Deno.test("past the bound the oldest are forgotten, and who was not told of those is not covered", () => {
  const removals = whole(3);
  for (let i = 1; i <= 100; i++) removals.note(untagged(`t${i}`), Math.ceil(i / 2));
  assertEquals([...removals.after({ at: 0, count: 0 })], untagged("t98", "t99", "t100"));
  const covers = (at: number, count: number) => removals.covers({ at, count });
  assertEquals([covers(48, 100), covers(49, 96), covers(49, 97), covers(50, 0)], [false, false, true, true]);
  removals.note(untagged(...Array.from({ length: 10 }, (_, i) => `u${i}`)), 50);
  assertEquals([covers(50, 0), covers(50, 107), covers(51, 0)], [false, true, true]);
});

Deno.test("after a boot nobody is covered who was served before it, unless no task can have left", () => {
  const removals = new Removals();
  removals.reset(9, false);
  assertEquals([0, 8, 9].map((at) => removals.covers({ at, count: 0 })), [false, false, true]);
  removals.reset(9, true);
  assertEquals([0, 8, 9].map((at) => removals.covers({ at, count: 0 })), [true, true, true]);
});

Deno.test("who comes from a gateway that looks later is told what it may have missed there", () => {
  const removals = whole();
  for (const [i, at] of [10, 20, 30, 40].entries()) {
    removals.note(untagged(`t${i}`), at);
    removals.looked(at);
  }
  const told = (seq: number) => [...removals.after(removals.toldBy(seq))];
  assertEquals(told(41), untagged("t2", "t3"), "gone at 30 here: there perhaps at 40 or 41");
  assertEquals(told(31), untagged("t1", "t2", "t3"));
  assertEquals(told(30), untagged("t0", "t1", "t2", "t3"));
});

Deno.test("who comes from another gateway soon after a boot is not covered", () => {
  const removals = new Removals();
  removals.reset(10, false);
  const covered = (seq: number) => removals.covers(removals.toldBy(seq));
  assertEquals([covered(10), covered(15)], [false, false]);
  for (const head of [12, 12, 12, 14]) removals.looked(head);
  assertEquals([covered(10), covered(12), covered(13), covered(15)], [false, false, true, true]);
});

const named = (count: number, prefix: string, ...tags: readonly string[]): TaskNames[] =>
  Array.from({ length: count }, (_, i) => ({ taskId: `${prefix}${i}`, tags }));

Deno.test("what is forgotten of others' tasks is nothing that one misses, nor has it one's own forgotten", () => {
  const removals = whole(100);
  removals.note(named(3, "ann-", "ann"), 2);
  for (let at = 3; at < 50; at++) removals.note(named(100, `bob-${at}-`, "bob"), at);
  const told = { at: 1, count: 0 };
  const scopes: readonly (readonly [string, boolean])[] = [
    ["task:tag:ann", true],
    ["task:tag:ann*", true],
    ["task:id:ann-*", true],
    ["task:id:ann-1", true],
    ["task:tag:bob", false],
    ["task:tag:b*", false],
    ["task:id:bob-9-1", false],
    ["task:id:bob-9-*", false],
    ["task:id:b*", false],
    ["task:id:*", false],
    ["task:*", false],
  ];
  for (const [pattern, covers] of scopes) {
    assertEquals(removals.covers(told, Scope.of([pattern])), covers, pattern);
  }
  assertEquals(removals.covers(told), false);
  const left = [...removals.after(told)];
  assertEquals(left.slice(0, 3), named(3, "ann-", "ann"));
  assertEquals(left.length <= 112, true);
});

Deno.test("where there are more kinds of tags than are told apart, what is forgotten counts for everybody", () => {
  const removals = whole(10);
  for (let i = 0; i < 2_000; i++) removals.note([{ taskId: `t${i}`, tags: [`tag${i}`] }], i + 1);
  const scope = Scope.of(["task:tag:none"]);
  assertEquals([
    removals.covers({ at: 10, count: 0 }, scope),
    removals.covers({ at: 1_990, count: 0 }, scope),
  ], [
    false,
    true,
  ]);
  assertEquals([...removals.after({ at: 0, count: 0 })].length <= 11, true);
});
