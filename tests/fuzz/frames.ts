import fc from "fast-check";
import { mutated } from "./json_mutation.ts";

/** What a frame's id is before each is given one of its own. */
export const ID = "@id@";

/** Tasks that there are, some of the time, and that there never are. */
export const TASK_IDS = ["job1", "job2", "job3", "__proto__", "constructor", "none"];
const TAGS = ["eu", "nightly", "ü", "a.b/c=d", "__proto__"];
const TOPICS = [
  "task:progress",
  "task:status",
  "task:list",
  ...TASK_IDS.flatMap((id) => [`task:id:${id}`, `task:id:${id}:progress`, `task:id:${id}:status`]),
  ...TAGS.flatMap((tag) => [`task:tag:${tag}`, `task:tag:${tag}:status`]),
  "data:x",
  "strategy:y",
  "task:*",
  "task:id:>",
];

const taskId = fc.constantFrom(...TASK_IDS);
const topics = fc.array(fc.constantFrom(...TOPICS), { minLength: 1, maxLength: 6 });
const seq = fc.oneof(fc.nat({ max: 50 }), fc.maxSafeNat());
const cursor = fc.record({ epoch: fc.constantFrom("@epoch@", "other", ""), seq });
const at = fc.oneof(
  fc.record({ seq }),
  fc.record({ seq, epoch: fc.constantFrom("@epoch@", "other") }),
  fc.record({
    time: fc.oneof(fc.nat(), fc.constantFrom("2024-01-01T00:00:00Z", "2100-01-01T00:00:00+14:00")),
  }),
);
const limit = fc.integer({ min: 1, max: 1_000 });

/** A value to a channel. */
export const publication: fc.Arbitrary<object> = fc.record({
  topic: fc.constantFrom("data:x", "strategy:y", "data:__proto__", "task:list", "nothing:x"),
  payload: fc.jsonValue({ maxDepth: 3 }),
  key: fc.constantFrom("BTC", "处理", "a/b.c*>", "__proto__"),
  event_id: fc.stringMatching(/^[!-~]{1,20}$/),
}, { requiredKeys: ["topic", "payload"] });

/** Every documented request. */
const REQUESTS: Readonly<Record<string, fc.Arbitrary<object>>> = {
  ping: fc.constant({}),
  subscribe: fc.record({
    topics,
    replay: fc.constantFrom("latest", "none", "all"),
    since: cursor,
    max_rate_hz: fc.constantFrom(0.1, 1, 7.3, 50),
  }, { requiredKeys: ["topics"] }),
  unsubscribe: fc.record({ topics }),
  get_task: fc.record({ task_id: taskId, at }, { requiredKeys: ["task_id"] }),
  get_tasks: fc.record({
    status: fc.constantFrom("pending", "running", "failed", "completed"),
    tag: fc.constantFrom(...TAGS),
    parent_id: taskId,
    type: fc.constantFrom("import", "toString"),
    limit,
    page: fc.integer({ min: 1, max: 5 }),
    at,
  }, { requiredKeys: [] }),
  get_history: fc.record({ task_id: taskId, after_seq: seq, limit }, { requiredKeys: ["task_id"] }),
  cancel_task: fc.record({ task_id: taskId, reason: fc.constantFrom("wrong input", null, "") }, {
    requiredKeys: ["task_id"],
  }),
  publish: publication,
  auth: fc.record({ token: fc.string({ minLength: 1, maxLength: 40 }) }),
};

const request = fc.oneof(
  ...Object.entries(REQUESTS).map(([type, data]) =>
    data.map((data) => ({ type, id: ID, timestamp: 1_700_000_000_000, data }))
  ),
);

/** The texts of some client frames: as documented, and changed in every way that JSON can be. */
export const frames: fc.Arbitrary<readonly string[]> = fc.array(mutated(request), {
  minLength: 1,
  maxLength: 8,
});
