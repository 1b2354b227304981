import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import * as v from "valibot";
import { Scope, type TaskNames, TopicPattern } from "../../src/access/scope.ts";

function task(taskId: string, ...tags: string[]): TaskNames {
  return { taskId, tags };
}

const KINDS:
  readonly (readonly [pattern: string, seen: readonly TaskNames[], unseen: readonly TaskNames[]])[] = [
    ["*", [task("a"), task("b", "x")], []],
    ["task:*", [task("a"), task("b", "x")], []],
    ["task:id:*", [task("a"), task("b", "x")], []],
    ["task:id:abc", [task("abc"), task("abc", "x")], [
      task("ab"),
      task("abcd"),
      task("ABC"),
      task("x", "abc"),
    ]],
    ["task:id:ab*", [task("ab"), task("abc", "x")], [task("a"), task("Ab"), task("xab"), task("x", "ab")]],
    ["task:tag:*", [task("a", "x"), task("a", "数据")], [task("a")]],
    ["task:tag:x", [task("a", "x"), task("a", "y", "x")], [task("a", "xy"), task("a", "X"), task("x")]],
    ["task:tag:user-4*", [task("a", "user-4"), task("a", "y", "user-42")], [
      task("a", "user-3"),
      task("user-4"),
    ]],
    ["task:tag:数*", [task("a", "数据")], [task("a", "据数"), task("a")]],
    ["data:*", [], [task("a"), task("data", "data")]],
    ["strategy:s", [], [task("s"), task("a", "s")]],
  ];

Deno.test("each kind of pattern sees the tasks that it names", () => {
  for (const [pattern, seen, unseen] of KINDS) {
    const scope = Scope.of([pattern]);
    assertEquals(
      [seen.filter((one) => !scope.sees(one)), unseen.filter((one) => scope.sees(one))],
      [[], []],
      pattern,
    );
  }
});

Deno.test("no pattern sees nothing, and several see what any of them does", () => {
  assertEquals(Scope.of([]).sees(task("a", "x")), false);
  const scope = Scope.of(["task:id:a", "task:tag:x*", "task:tag:y"]);
  const cases = [task("a"), task("b", "x1"), task("b", "y"), task("b", "y1"), task("b")];
  assertEquals(cases.map((one) => scope.sees(one)), [true, true, true, false, false]);
});

const TOPICS = [
  "task:status",
  "task:progress",
  "task:list",
  "task:id:abc",
  "task:id:abc:status",
  "task:id:other",
  "task:tag:x",
  "task:tag:x:progress",
  "task:tag:y",
  "data:prices",
  "strategy:s1",
] as const;

Deno.test("each kind of pattern allows the topics that may bring what it sees, and none that can not", () => {
  const tasks = TOPICS.slice(0, 9);
  const every = TOPICS.slice(0, 3);
  const cases: readonly (readonly [pattern: string, allowed: readonly string[]])[] = [
    ["*", TOPICS],
    ["task:*", tasks],
    ["task:id:abc", [...every, "task:id:abc", "task:id:abc:status"]],
    ["task:id:a*", [...every, "task:id:abc", "task:id:abc:status"]],
    ["task:id:*", [...every, "task:id:abc", "task:id:abc:status", "task:id:other"]],
    // Which tags a task will have is not known beforehand.
    ["task:tag:x", TOPICS.slice(0, 8)],
    ["task:tag:*", tasks],
    ["data:prices", ["data:prices"]],
    ["data:p*", ["data:prices"]],
    ["data:price", []],
    ["strategy:*", ["strategy:s1"]],
  ];
  for (const [pattern, allowed] of cases) {
    const scope = Scope.of([pattern]);
    assertEquals(TOPICS.filter((topic) => scope.allows(topic)), allowed, pattern);
  }
  assertEquals(TOPICS.filter((topic) => Scope.of([]).allows(topic)), []);
});

Deno.test("what is no topic is allowed by no pattern but the one for everything", () => {
  const strange = [
    "",
    ":",
    "task",
    "task:",
    "task:*",
    "task:id:",
    "task:id:*",
    "task:tag:*",
    "data",
    "data:",
    "DATA:a",
    "x:y",
  ];
  const wide = Scope.of(["task:*", "task:id:*", "task:tag:*", "data:a*", "strategy:a*"]);
  assertEquals(strange.filter((topic) => wide.allows(topic)), []);
  assertEquals(strange.filter((topic) => !Scope.of(["*"]).allows(topic)), []);
});

Deno.test("events may be written under the ids and tags that are named, all of them", () => {
  const scope = Scope.of(["task:id:job-*", "task:tag:user-42", "task:tag:eu*"]);
  const cases: readonly (readonly [TaskNames, string | undefined])[] = [
    [task("job-1"), undefined],
    [task("job-1", "user-42", "eu-west"), undefined],
    [task("job-1", "user-43"), "task:tag:user-43"],
    [task("job-1", "user-42", "us"), "task:tag:us"],
    [task("other"), "task:id:other"],
    // Seen by its tag, and not to be written for all that.
    [task("other", "user-42"), "task:id:other"],
  ];
  for (const [written, foreign] of cases) assertEquals(scope.foreignTo(written), foreign);
  for (const pattern of ["*", "task:*"]) {
    assertEquals(Scope.of([pattern]).foreignTo(task("a", "x")), undefined);
  }
  assertEquals(Scope.of(["task:id:*"]).foreignTo(task("a", "x")), "task:tag:x");
  assertEquals(Scope.of(["task:tag:*"]).foreignTo(task("a")), "task:id:a");
  assertEquals(Scope.of(["data:*"]).foreignTo(task("a")), "task:id:a");
});

Deno.test("only * and task:* have every task", () => {
  const patterns = ["*", "task:*", "task:id:*", "task:tag:*", "data:*", "strategy:*"];
  assertEquals(patterns.filter((pattern) => Scope.of([pattern]).hasEveryTask), ["*", "task:*"]);
  assertEquals(Scope.of(["task:id:a", "task:*"]).hasEveryTask, true);
});

Deno.test("what is no pattern is refused, whatever it resembles", () => {
  const bad = [
    "",
    " ",
    "**",
    "* ",
    "task",
    "task:",
    "task:**",
    "task:list",
    "task:status",
    "task:id",
    "task:id:",
    "task:id:a.b",
    "task:id:a b",
    "task:id:a>",
    "task:id:*a",
    "task:id:a*b",
    "task:id:a**",
    "task:id:ab:status",
    `task:id:${"a".repeat(129)}`,
    `task:id:${"a".repeat(129)}*`,
    "task:id:ä",
    "task:id:a\n",
    "task:tag:",
    "task:tag:a b",
    "task:tag:a,b",
    "task:tag:a:status",
    "task:tag:a*b",
    "task:tag:a\u200b",
    `task:tag:${"a".repeat(65)}`,
    "data:",
    "data:a b",
    "data:a>",
    `data:${"a".repeat(129)}`,
    "strategy:",
    "TASK:*",
    "Task:id:a",
    "other:a b*",
    "Other:*",
    "__proto__",
    "__proto__:*",
  ];
  assertEquals(bad.filter((text) => v.is(TopicPattern, text)), []);
  for (const text of bad) {
    assertThrows(() => Scope.of([text]), RangeError, "Cannot read the topic pattern");
  }
  const good = [
    "task:id:a_-9",
    `task:id:${"a".repeat(128)}*`,
    `task:tag:${"a".repeat(64)}`,
    "task:tag:a+b@c/d=e.f",
    "data:a.b-c_d",
    "strategy:s.*",
  ];
  assertEquals(good.filter((text) => !v.is(TopicPattern, text)), []);
});

Deno.test("scopes of the same patterns have the same key, whatever their order, and others another", () => {
  const one = Scope.of(["task:tag:b", "task:tag:a", "task:tag:b"]);
  assertStrictEquals(one.key, Scope.of(["task:tag:a", "task:tag:b"]).key);
  assertEquals(one.patterns, ["task:tag:a", "task:tag:b"]);
  const pattern = fc.constantFrom(...PATTERNS);
  fc.assert(fc.property(fc.array(pattern), fc.array(pattern), (a, b) => {
    const [first, second] = [Scope.of(a), Scope.of(b)];
    const isSame = new Set(a).symmetricDifference(new Set(b)).size === 0;
    assertEquals(first.key === second.key, isSame);
    assertEquals(Scope.of(first.patterns).key, first.key);
  }));
});

Deno.test("the tags are all that a scope has where it says so, and it sees by them what it sees", () => {
  const cases: readonly (readonly [readonly string[], readonly string[] | undefined])[] = [
    [["task:tag:a"], ["a"]],
    [["task:tag:a", "task:tag:b", "data:*"], ["a", "b"]],
    [["task:tag:a*"], undefined],
    [["task:tag:a", "task:id:t1"], undefined],
    [["task:tag:a", "task:*"], undefined],
    [["*"], undefined],
    [[], undefined],
  ];
  for (const [patterns, tags] of cases) assertEquals(Scope.of(patterns).onlyTags, tags);
});

/** So few letters that patterns and names meet. */
const LETTERS = ["a", "b", "-"];
const name = fc.array(fc.constantFrom(...LETTERS), { minLength: 1, maxLength: 3 }).map((letters) =>
  letters.join("")
);
const PATTERNS = [
  "*",
  "task:*",
  ...["task:id", "task:tag", "data", "strategy"].flatMap((kind) =>
    ["*", "a", "ab", "a*", "ab*", "b-*", "-"].map((rest) => `${kind}:${rest}`)
  ),
];

/** Whether `pattern` matches a topic of this kind and name, by the letter. */
function matches(pattern: string, topic: string): boolean {
  return pattern.endsWith("*") ? topic.startsWith(pattern.slice(0, -1)) : topic === pattern;
}

Deno.test("a task is seen if, and only if, some pattern matches its id or one of its tags", () => {
  const patterns = fc.array(fc.constantFrom(...PATTERNS.slice(1)), { maxLength: 4 });
  fc.assert(
    fc.property(patterns, name, fc.array(name, { maxLength: 3 }), (texts, taskId, tags) => {
      const scope = Scope.of(texts);
      const topics = [`task:id:${taskId}`, ...tags.map((tag) => `task:tag:${tag}`)];
      const seen = texts.some((text) => topics.some((topic) => matches(text, topic)));
      assertEquals(scope.sees({ taskId, tags }), seen);
      const foreign = topics.find((topic) => !texts.some((text) => matches(text, topic)));
      assertEquals(scope.foreignTo({ taskId, tags }), foreign);
      const { onlyTags } = scope;
      if (onlyTags !== undefined) assertEquals(tags.some((tag) => onlyTags.includes(tag)), seen);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("whoever sees a task may hold every topic that would bring it", () => {
  const patterns = fc.array(fc.constantFrom(...PATTERNS), { maxLength: 4 });
  fc.assert(
    fc.property(patterns, name, fc.array(name, { maxLength: 3 }), (texts, taskId, tags) => {
      const scope = Scope.of(texts);
      if (!scope.sees({ taskId, tags })) return;
      const topics = ["task:status", "task:progress", "task:list"];
      assertEquals([...topics, `task:id:${taskId}`].filter((topic) => !scope.allows(topic)), []);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("whatever a pattern is made of, it is refused or it names what it says by the letter", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.tuple(
      fc.constantFrom("task:id:", "task:tag:", "data:", "task:", ""),
      fc.string({ maxLength: 6 }),
      fc.constantFrom("", "*"),
    )
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (pattern) => {
      if (!v.is(TopicPattern, pattern)) {
        assertThrows(() => Scope.of([pattern]), RangeError);
        return;
      }
      const scope = Scope.of([pattern]);
      assertEquals(scope.patterns, [pattern]);
      const [, id] = /^task:id:([^*]+)\*?$/.exec(pattern) ?? [];
      if (id !== undefined) assertEquals(scope.sees(task(id)), true);
      const [, tag] = /^task:tag:([^*]+)\*?$/.exec(pattern) ?? [];
      if (tag !== undefined) assertEquals(scope.sees(task("other-task", tag)), true);
    }),
    { numRuns: 1_000 },
  );
});
