import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import * as v from "valibot";
import { Tag, TaskId } from "../../src/protocol/names.ts";
import {
  type Facet,
  parseTopic,
  pathAllows,
  PATHS,
  printTopic,
  type Topic,
  topicsOf,
} from "../../src/protocol/topics.ts";

const ID_CHARS = [..."azAZ09_-"];
const TAG_CHARS = [..."azAZ09._@/+=-", "é", "数", "ж", "٣", "𝒳"];

const taskIds = fc.string({ unit: fc.constantFrom(...ID_CHARS), minLength: 1, maxLength: 128 })
  .map((text) => v.parse(TaskId, text));
const tags = fc.string({ unit: fc.constantFrom(...TAG_CHARS), minLength: 1, maxLength: 64 })
  .map((text) => v.parse(Tag, text));
const facet = fc.constantFrom<Facet>("progress", "status");
const half = fc.option(facet, { nil: undefined }).map((one) => one === undefined ? {} : { facet: one });
const topics: fc.Arbitrary<Topic> = fc.oneof(
  facet.map((one): Topic => ({ kind: "all", facet: one })),
  fc.constant<Topic>({ kind: "list" }),
  fc.tuple(taskIds, half).map(([taskId, rest]): Topic => ({ kind: "task", taskId, ...rest })),
  fc.tuple(taskIds, fc.constantFrom("log", "id", "a_1")).map(([taskId, namespace]): Topic => (
    { kind: "channel", namespace, name: taskId, taskId }
  )),
  fc.tuple(tags, half).map(([tag, rest]): Topic => ({ kind: "tag", tag, ...rest })),
);

Deno.test("a printed topic is parsed as that topic", () => {
  fc.assert(fc.property(topics, (topic) => assertEquals(parseTopic(printTopic(topic)), topic)), {
    numRuns: 1000,
  });
});

Deno.test("a topic has one spelling: what is parsed prints as it was written", () => {
  const texts = fc.oneof(
    topics.map(printTopic),
    fc.array(fc.constantFrom("task", "id", "tag", "list", "progress", "status", "a", "", "数"), {
      maxLength: 5,
    })
      .map((parts) => parts.join(":")),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const topic = parseTopic(text);
      if (topic !== undefined) assertEquals(printTopic(topic), text);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("what is no topic is told apart from one", () => {
  const wrong = [
    "",
    "task",
    "task:",
    "task:all",
    "task:id",
    "task:id:",
    "task:id:a.b",
    "task:id:*",
    "task:id:>",
    `task:id:${"x".repeat(129)}`,
    "task:id:a:List",
    "task:id:a:log:x",
    "task:tag:a:log",
    "task:id:a.b:log",
    "task:id:a:progress:status",
    "task:list:a",
    "task:progress:a",
    "task:tag:",
    "task:tag:a,b",
    "task:tag:a b",
    `task:tag:${"x".repeat(65)}`,
    "TASK:progress",
    " task:progress",
    "task:progress\n",
    "data:",
    "data:a b",
    "data:a:b",
    `data:${"x".repeat(129)}`,
    "Data:a",
    ":a",
    "__proto__",
    "__proto__:a",
  ];
  assertEquals(wrong.filter((text) => parseTopic(text) !== undefined), []);
});

Deno.test("every path reaches its own namespace, and /ws reaches all", () => {
  const allowed = [...PATHS.keys()].map((path) => [
    path,
    ["task:progress", "data:prices", "strategy:s1"].filter((topic) => pathAllows(path, topic)),
  ]);
  assertEquals(allowed, [
    ["/ws", ["task:progress", "data:prices", "strategy:s1"]],
    ["/ws/task", ["task:progress"]],
    ["/ws/data", ["data:prices"]],
    ["/ws/strategy", ["strategy:s1"]],
  ]);
  assertEquals(pathAllows("/ws/other", "task:progress"), false);
  assertEquals(pathAllows("/ws/task", "taskless:progress"), false);
});

Deno.test("a frame belongs to every topic that names its task, its tags or all, in its facet", () => {
  assertEquals(topicsOf("progress", "t", ["eu"]), [
    "task:progress",
    "task:id:t",
    "task:id:t:progress",
    "task:tag:eu",
    "task:tag:eu:progress",
  ]);
});

Deno.test("the topics of a frame are topics, and each matches it", () => {
  fc.assert(
    fc.property(facet, taskIds, fc.uniqueArray(tags, { maxLength: 16 }), (one, taskId, tagged) => {
      for (const text of topicsOf(one, taskId, tagged)) {
        const topic = parseTopic(text);
        assert(topic !== undefined && topic.kind !== "list" && topic.kind !== "channel", text);
        assert(topic.facet === undefined || topic.facet === one);
        if (topic.kind === "task") assertEquals(topic.taskId, taskId);
        if (topic.kind === "tag") assert(tagged.includes(topic.tag));
      }
    }),
  );
});
