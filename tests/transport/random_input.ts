import fc from "fast-check";
import { badId, deep, extras, HOSTILE, id, json, large, notObject, notText, space } from "./random_value.ts";

/** A message that a client may send, and how the protocol has it answered. */
export type RandomInput = {
  readonly message: string | Uint8Array;
  /** The id under which it is answered; undefined where none can be read, so that the server gives one. */
  readonly id: string | undefined;
  /** The type of the answer, or the code where that is an error. */
  readonly answer: string;
};

const encoder = new TextEncoder();

const TYPES = [
  "ping",
  "subscribe",
  "unsubscribe",
  "get_task",
  "get_tasks",
  "get_history",
  "cancel_task",
  "publish",
  "auth",
];

type Frame = {
  readonly type: unknown;
  readonly id?: unknown;
  readonly timestamp?: unknown;
  readonly data?: unknown;
};

/** The text of a frame, with members of the same kind as `__proto__` before its own, and white space around. */
function textOf(frame: Frame, more: object, space: string): string {
  const own = JSON.stringify(frame).slice(1);
  const foreign = JSON.stringify(more).slice(1, -1);
  return `${space}{${foreign === "" ? "" : `${foreign},`}${own}${space}`;
}

const MEMBERS: readonly string[] = ["type", "id", "timestamp", "data"];

/** A frame whose data decides the answer. */
function request(type: string, answer: string, data: fc.Arbitrary<unknown>): fc.Arbitrary<RandomInput> {
  const around = fc.record({
    data,
    id,
    more: extras,
    space,
    timestamp: fc.option(fc.double(), { nil: undefined }),
  });
  return around.map(({ data, id, more, space, timestamp }) => {
    const foreign = Object.fromEntries(Object.entries(more).filter(([name]) => !MEMBERS.includes(name)));
    const stamp = timestamp === undefined || !Number.isFinite(timestamp) ? {} : { timestamp };
    return { message: textOf({ type, id, ...stamp, data }, foreign, space), id, answer };
  });
}

/** `data` with members too many, none of which is one of `names`. */
function withExtras(data: fc.Arbitrary<object>, ...names: readonly string[]): fc.Arbitrary<object> {
  return fc.tuple(data, extras).map(([own, more]) => {
    const foreign = Object.entries(more).filter(([name]) => !names.includes(name));
    return { ...Object.fromEntries(foreign), ...own };
  });
}

const topic = fc.constantFrom(
  "task:progress",
  "task:status",
  "task:list",
  "task:id:job1",
  "task:tag:eu:status",
  "task:id:x",
  "data:x",
  "strategy:constructor",
);
const channel = fc.constantFrom("data:x", "data:__proto__", "strategy:a.b-c_d");
const notTopic = fc.oneof(
  fc.constantFrom(
    "",
    "task",
    "task:",
    "task:id:",
    "task:tag:a,b",
    "TASK:list",
    "data",
    "data:",
    "data:a b",
    "data:x:y",
    "DATA:x",
    "nothing:x",
    "task:id:a:nothing",
    "task:id:a:b:c",
    "task:*",
    "task:>",
  ),
  fc.constantFrom(...HOSTILE.flatMap((name) => [name, `task:${name}`])),
  fc.string({ unit: "binary", maxLength: 200 }).map((text) => `?${text}`),
);
const taskId = fc.stringMatching(/^no[A-Za-z0-9_-]{1,126}$/);
const notTaskId = fc.oneof(notText, fc.constantFrom("", "a.b", "*", ">", "a b", "ä", "x".repeat(129)), large);

const topics = fc.array(topic, { minLength: 1, maxLength: 8 });
const badTopics = fc.oneof(
  notObject.filter((value) => !Array.isArray(value)),
  fc.constant([]),
  fc.tuple(topics, notText).map(([good, bad]) => [...good, bad]),
  topics.map((good) => [...good, "x".repeat(513)]),
  fc.constant(new Array(1_025).fill("task:list")),
);
const badSince = fc.oneof(
  notObject.filter((value) => value !== undefined),
  fc.record({ seq: fc.integer({ min: 0 }) }),
  fc.record({
    epoch: fc.string({ minLength: 1 }),
    seq: fc.oneof(fc.integer({ max: -1 }), notText.filter(isNoNumber), fc.constant(0.5)),
  }),
  fc.record({ epoch: fc.constantFrom("", "x".repeat(65), 7, null), seq: fc.integer({ min: 0 }) }),
);

const at = fc.oneof(
  fc.record({ seq: fc.maxSafeNat() }),
  fc.record({
    time: fc.oneof(fc.constantFrom("2024-01-01T00:00:00Z", "2100-12-31T23:59:59.5+01:00"), fc.nat()),
  }),
);
const badAt = fc.oneof(
  notObject.filter((value) => value !== undefined),
  fc.record({ seq: fc.oneof(fc.constantFrom(-1, 0.5), notText.filter(isNoNumber), fc.string()) }),
  fc.record({ seq: fc.nat(), epoch: fc.oneof(fc.constantFrom("", "x".repeat(65)), notText) }),
  fc.record({
    time: fc.oneof(fc.constantFrom(-1, "", "now", "2024-01-01", ...HOSTILE), notText.filter(isNoNumber)),
  }),
  fc.record({ seq: fc.nat(), time: fc.nat() }),
);

function isNoNumber(value: unknown): boolean {
  return typeof value !== "number";
}

const badPage = fc.oneof(
  fc.record({ limit: fc.oneof(fc.constantFrom(0, 1_001, 0.5, -1), notText.filter(isNoNumber), fc.string()) }),
  fc.record({
    page: fc.oneof(fc.constantFrom(0, 1_000_001, 0.5, -1), notText.filter(isNoNumber), fc.string()),
  }),
  fc.record({ status: fc.oneof(notText, fc.constantFrom("done", "", ...HOSTILE)) }),
  fc.record({ tag: fc.oneof(notText, fc.constantFrom("", "a:b", "a b", "x".repeat(65))) }),
  fc.record({ parent_id: notTaskId }),
  fc.record({ type: fc.oneof(notText, fc.constantFrom("", "x".repeat(65))) }),
);
const page = fc.record({
  limit: fc.integer({ min: 1, max: 1_000 }),
  page: fc.integer({ min: 1, max: 1_000_000 }),
  status: fc.constantFrom("pending", "running", "completed"),
  tag: fc.constantFrom("eu", "ü", "__proto__"),
  parent_id: fc.constantFrom("job1", "constructor"),
  type: fc.constantFrom("toString", "import"),
}, { requiredKeys: [] });

/** Any JSON that may be a value of a channel; much of it now and then. */
const value = fc.oneof({ weight: 20, arbitrary: json }, { weight: 1, arbitrary: large });
const key = fc.oneof(
  fc.constantFrom("BTCUSDT", "__proto__", "x".repeat(128)),
  fc.constantFrom("处理", "a/b.c*>"),
);
const notKey = fc.oneof(notText, fc.constantFrom("", "a b", "a\u0000", "\ud800", "x".repeat(129)));
const eventId = fc.stringMatching(/^[!-~]{1,100}$/);

function isOfTasks(topic: string): boolean {
  return topic.startsWith("task:");
}

const INVALID = "INVALID_MESSAGE";
const PUBLICATION = ["topic", "payload", "key", "event_id"] as const;
const PAGE = ["status", "tag", "parent_id", "type", "limit", "page", "at"] as const;

/** Requests of every type, in order and not. */
const requests: readonly fc.Arbitrary<RandomInput>[] = [
  request("ping", "pong", withExtras(fc.constant({}))),
  request("ping", INVALID, notObject),
  request("subscribe", "subscribed", withExtras(fc.record({ topics }), "topics", "since", "replay")),
  request("subscribe", "subscribed", fc.record({ topics, replay: fc.constantFrom("latest", "none", "all") })),
  request(
    "subscribe",
    "subscribed",
    fc.record({
      topics,
      since: fc.record({ epoch: fc.string({ minLength: 1, maxLength: 64 }), seq: fc.maxSafeNat() }),
    }),
  ),
  request(
    "subscribe",
    "TOPIC_NOT_FOUND",
    fc.tuple(topics, notTopic).map(([good, bad]) => ({ topics: [...good, bad] })),
  ),
  request("subscribe", INVALID, fc.record({ topics: badTopics })),
  request("subscribe", INVALID, fc.record({ topics, since: badSince })),
  request(
    "subscribe",
    INVALID,
    fc.record({ topics, replay: fc.oneof(notText, fc.constantFrom("", ...HOSTILE)) }),
  ),
  request(
    "unsubscribe",
    "unsubscribed",
    fc.record({ topics: fc.array(fc.oneof(topic, notTopic), { minLength: 1 }) }),
  ),
  request("unsubscribe", INVALID, fc.record({ topics: badTopics })),
  request("get_task", "task_status", withExtras(fc.constant({ task_id: "job1" }), "task_id", "at")),
  request(
    "get_task",
    "TASK_NOT_FOUND",
    fc.record({ task_id: fc.oneof(taskId, fc.constantFrom(...HOSTILE)) }),
  ),
  request("get_task", INVALID, fc.record({ task_id: notTaskId })),
  request("get_task", INVALID, withExtras(fc.constant({}), "task_id")),
  request("get_task", INVALID, fc.record({ task_id: fc.constant("job1"), at: badAt })),
  request("get_tasks", "task_list", withExtras(page, ...PAGE)),
  request("get_tasks", "task_list", withExtras(fc.record({ at }), ...PAGE)),
  request("get_tasks", INVALID, badPage),
  request("get_tasks", INVALID, fc.record({ at: badAt })),
  request(
    "cancel_task",
    "TASK_NOT_FOUND",
    fc.record({ task_id: fc.oneof(taskId, fc.constantFrom(...HOSTILE)), reason: fc.string() }),
  ),
  request("cancel_task", INVALID, fc.record({ task_id: notTaskId })),
  request(
    "cancel_task",
    INVALID,
    fc.record({
      task_id: fc.constant("job1"),
      reason: fc.oneof(notText.filter((value) => value !== null), fc.constant("x".repeat(4_097))),
    }),
  ),
  request(
    "get_history",
    "task_history",
    fc.record({ task_id: fc.constant("job1"), after_seq: fc.maxSafeNat() }),
  ),
  request(
    "get_history",
    "TASK_NOT_FOUND",
    fc.record({ task_id: fc.oneof(taskId, fc.constantFrom(...HOSTILE)) }),
  ),
  request(
    "publish",
    "published",
    withExtras(
      fc.record(
        { topic: channel, payload: value, key, event_id: eventId },
        { requiredKeys: ["topic", "payload"] },
      ),
      ...PUBLICATION,
    ),
  ),
  request(
    "publish",
    "TOPIC_NOT_FOUND",
    fc.record({
      topic: fc.oneof(topic.filter(isOfTasks), notTopic.filter((text) => text.length <= 256)),
      payload: value,
    }),
  ),
  request("publish", INVALID, fc.record({ topic: notText, payload: value })),
  request("publish", INVALID, fc.record({ topic: fc.constant(`data:${"x".repeat(252)}`), payload: value })),
  request("publish", INVALID, withExtras(fc.record({ topic: channel }), ...PUBLICATION)),
  request("publish", INVALID, fc.record({ topic: channel, payload: value, key: notKey })),
  request(
    "publish",
    INVALID,
    fc.record({
      topic: channel,
      payload: value,
      event_id: fc.oneof(notText, fc.constantFrom("", "a b", "ä", "x".repeat(101))),
    }),
  ),
  request("auth", "authenticated", fc.record({ token: fc.string({ minLength: 1, maxLength: 200 }) })),
  request(
    "auth",
    INVALID,
    fc.record({ token: fc.oneof(notText, fc.constantFrom("", "x".repeat(8_193)), large) }),
  ),
  request("get_history", INVALID, fc.record({ task_id: notTaskId })),
  request(
    "get_history",
    INVALID,
    fc.record({ task_id: fc.constant("job1"), after_seq: badSince.filter(isNoNumber) }),
  ),
];

/** Frames of types that there are none of. */
const unknownType = fc.oneof(
  fc.constantFrom(...HOSTILE, "PING", "ping ", " ping", "ping\u0000", "pong", "welcome", "batch", "*"),
  fc.string({ minLength: 1, maxLength: 64 }),
).filter((type) => !TYPES.includes(type)).chain((type) =>
  request(type, INVALID, withExtras(fc.constant({})))
);

/** Frames that have an envelope, but a broken one. */
const badEnvelope: fc.Arbitrary<RandomInput> = fc.record({
  type: fc.oneof(fc.constantFrom(...TYPES), notText, fc.constantFrom("", "x".repeat(65)), large),
  id: fc.oneof(id, badId),
  timestamp: fc.oneof(fc.nat(), fc.constantFrom("", "now", null, true), fc.array(json)),
  data: fc.oneof(fc.constant({ topics: ["task:list"] }), notObject),
}, { requiredKeys: [] }).filter(isBroken).map((frame) => ({
  message: JSON.stringify(frame),
  id: isId(frame.id) ? frame.id : undefined,
  answer: INVALID,
}));

function isId(value: unknown): value is string {
  return typeof value === "string" && value.length >= 1 && value.length <= 128;
}

function isBroken({ type, id, timestamp, data }: Partial<Frame>): boolean {
  const typed = typeof type === "string" && type.length >= 1 && type.length <= 64;
  const timed = timestamp === undefined || typeof timestamp === "number";
  const object = typeof data === "object" && data !== null && !Array.isArray(data);
  return !typed || !isId(id) || !timed || (data !== undefined && !object);
}

function unreadable(message: string | Uint8Array): RandomInput {
  return { message, id: undefined, answer: INVALID };
}

const good = fc.oneof(...requests).map(({ message }) => String(message).trim());

/** What is no JSON object at all. */
const noFrame: fc.Arbitrary<RandomInput> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }).filter(isNoObject),
  fc.tuple(good, fc.nat()).map(([text, cut]) => text.slice(0, cut % text.length)),
  good.map((text) => `\ufeff${text}`),
  good.map((text) => `${text}${text}`),
  good.map((text) => text.replaceAll('"', "'")),
  notObject.map((value) => JSON.stringify(value) ?? ""),
  fc.integer({ min: 1, max: 30_000 }).map((depth) => "[".repeat(depth)),
  fc.integer({ min: 1, max: 30_000 }).map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`),
  fc.integer({ min: 1, max: 10_000 }).map((depth) => '{"type":'.repeat(depth % 8_000)),
  large.map((text) => JSON.stringify(text).slice(0, 64_000)),
).map(unreadable);

function isNoObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value !== "object" || value === null || Array.isArray(value);
  } catch {
    return true;
  }
}

const binary: fc.Arbitrary<RandomInput> = fc.oneof(
  fc.uint8Array({ maxLength: 1_000 }),
  good.map((text) => encoder.encode(text)),
).map(unreadable);

/** Members said twice: the last one counts. */
const twice: fc.Arbitrary<RandomInput> = fc.tuple(id, json).map(([id, value]) => ({
  message: `{"id":${JSON.stringify(value)},"type":"nothing","data":7,"type":"ping","id":${
    JSON.stringify(id)
  },"data":{}}`,
  id,
  answer: "pong",
}));

const nested: fc.Arbitrary<RandomInput> = fc.tuple(id, deep).map(([id, data]) => ({
  message: `{"type":"ping","id":${JSON.stringify(id)},"data":${data}}`,
  id,
  answer: "pong",
}));

/** Whatever a client may send, and what becomes of it; each at most 64 KiB. */
export const randomInput: fc.Arbitrary<RandomInput> = fc.oneof(
  { weight: 10, arbitrary: fc.oneof(...requests) },
  { weight: 2, arbitrary: unknownType },
  { weight: 3, arbitrary: badEnvelope },
  { weight: 3, arbitrary: noFrame },
  { weight: 1, arbitrary: binary },
  { weight: 1, arbitrary: twice },
  { weight: 1, arbitrary: nested },
).filter(({ message }) => (typeof message === "string" ? encoder.encode(message) : message).length <= 65_536);
