import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import * as v from "valibot";
import { TaskId } from "../../src/protocol/names.ts";
import { plainProgress } from "../../src/task/plain_progress.ts";
import {
  BODIES,
  depthWithin,
  eventSubject,
  type Kind,
  KINDS,
  MAX_BODY_BYTES,
  MAX_BODY_DEPTH,
  parseRecord,
} from "../../src/task/worker_event.ts";
import { event, record } from "./arbitrary_history.ts";

const encoder = new TextEncoder();

/** The members of a body that say something. */
function said(body: object): object {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

/** Why a body of `kind` is rejected; fails when it is not. */
function rejection(kind: string, body: unknown): string {
  const parsed = parseRecord(record(`task.t.${kind}`, body));
  assert("rejected" in parsed, `${kind} ${JSON.stringify(body)} was accepted`);
  return parsed.rejected;
}

Deno.test("an empty body is an empty object, for every kind", () => {
  for (const kind of KINDS) {
    const parsed = parseRecord(record(`task.t.${kind}`, new Uint8Array(0)));
    assert("event" in parsed);
    assertEquals([parsed.event.kind, parsed.event.attempt], [kind, 1]);
  }
});

Deno.test("an event carries its place, its attempt and its body", () => {
  const parsed = parseRecord({
    seq: 7,
    time: 1_704_067_200_000,
    subject: "task.task_123.progress",
    body: encoder.encode('{"attempt":2,"total":10,"completed":3,"color":"red"}'),
  });
  assert("event" in parsed);
  const { body, ...place } = parsed.event;
  assertEquals(place, {
    kind: "progress",
    taskId: v.parse(TaskId, "task_123"),
    seq: 7,
    time: 1_704_067_200_000,
    attempt: 2,
  });
  assertEquals(said(body), { attempt: 2, total: 10, completed: 3 });
});

Deno.test("the subject of an event is understood as that event", () => {
  const ids = fc.string({ unit: fc.constantFrom(..."azAZ09_-"), minLength: 1, maxLength: 128 });
  fc.assert(
    fc.property(ids, fc.constantFrom(...KINDS), (taskId, kind) => {
      const parsed = parseRecord(record(eventSubject(taskId, kind), {}));
      assert("event" in parsed);
      assertEquals([parsed.event.taskId, parsed.event.kind], [taskId, kind]);
    }),
  );
});

Deno.test("when it happened may be RFC 3339 with any offset, or milliseconds", () => {
  const times = ["2024-01-01T00:00:00Z", "2024-01-01T08:00:00.000+08:00", 1_704_067_200_000]
    .map((at) => event("started", 1, { at }).body.at);
  assertEquals(times, [1_704_067_200_000, 1_704_067_200_000, 1_704_067_200_000]);
});

Deno.test("an error may be a bare string", () => {
  const kinds = (["failed", "retrying"] as const).map((kind) => event(kind, 1, { error: "disk full" }).body);
  assertEquals(kinds, [
    { attempt: 1, error: { message: "disk full" } },
    { attempt: 1, error: { message: "disk full" } },
  ]);
});

Deno.test("a rejected body names the member and the rule", () => {
  const cases: [Kind, unknown, RegExp][] = [
    ["progress", { total: "ten" }, /^body\.total: .*number/],
    ["progress", { completed: -1 }, /^body\.completed: .*>=0/],
    ["progress", { failed: 1e300 }, /^body\.failed: .*<=9007199254740991/],
    ["progress", { attempt: 0 }, /^body\.attempt: .*>=1/],
    ["progress", { attempt: 1.5 }, /^body\.attempt: .*integer/],
    ["progress", { current: "x".repeat(4097) }, /^body\.current: .*<=4096/],
    ["created", { tags: ["eu", "a:b"] }, /^body\.tags\.1: must be 1–64 letters, digits or/],
    ["created", { tags: Array(17).fill("eu") }, /^body\.tags: .*<=16/],
    ["created", { parent_id: "a.b" }, /^body\.parent_id: must be 1–128 characters/],
    ["started", { at: "yesterday" }, /^body\.at: must be an RFC 3339 time or milliseconds/],
    ["started", { at: "2024-13-01T00:00:00Z" }, /^body\.at: must be an RFC 3339 time/],
    ["started", { at: -1 }, /^body\.at: .*>=0/],
    ["started", { at: "0000-01-01T00:00:00+05:00" }, /^body\.at: .*>=0/],
    ["started", { at: 8.64e15 }, /^body\.at: .*<=253402300799999/],
    ["failed", { error: { code: "E" } }, /^body\.error: must be \{message, code\?\} or a string/],
    ["failed", { error: 5 }, /^body\.error: must be/],
    ["completed", { progress: { total: -1 } }, /^body\.progress\.total: .*>=0/],
    ["cancelled", { reason: 5 }, /^body\.reason: .*string/],
    ["started", [], /^body: must be a JSON object/],
    ["started", null, /^body: must be a JSON object/],
    ["started", "x", /^body: must be a JSON object/],
    ["started", encoder.encode("{"), /^body: must be UTF-8 JSON/],
    ["started", new Uint8Array([0x22, 0xff, 0x22]), /^body: must be UTF-8 JSON/],
  ];
  for (const [kind, body, sentence] of cases) assertMatch(rejection(kind, body), sentence);
});

Deno.test("a rejected subject names the rule", () => {
  const of = (subject: string) => {
    const parsed = parseRecord(record(subject, {}));
    return "rejected" in parsed ? parsed.rejected : "accepted";
  };
  assertMatch(of("task.t.exploded"), /^subject: kind must be one of created, started,/);
  assertMatch(of("task.t.toString"), /^subject: kind must be one of/);
  assertMatch(of("task.t.__proto__"), /^subject: kind must be one of/);
  assertMatch(of("task.a b.started"), /^subject: task_id must be 1–128 characters/);
  assertMatch(of(`task.${"x".repeat(129)}.started`), /^subject: task_id must be/);
  assertMatch(of("task.*.started"), /^subject: task_id must be/);
  for (const subject of ["", "task", "task.t", "task.t.started.more", "data.t.started"]) {
    assertEquals(of(subject), "subject: must be task.<task_id>.<kind>");
  }
});

Deno.test("a body of 64 KiB is understood, one byte more is rejected", () => {
  const body = new Uint8Array(MAX_BODY_BYTES).fill(0x20);
  body.set(encoder.encode("{}"));
  assert("event" in parseRecord(record("task.t.started", body)));
  const larger = new Uint8Array(MAX_BODY_BYTES + 1).fill(0x20);
  larger.set(encoder.encode("{}"));
  assertEquals(rejection("started", larger), "body: must be at most 65536 bytes");
});

Deno.test("a result nests 64 deep at most, body and result included", () => {
  const nested = (depth: number) => encoder.encode(`{"result":${"[".repeat(depth)}${"]".repeat(depth)}}`);
  assert("event" in parseRecord(record("task.t.completed", nested(MAX_BODY_DEPTH - 1))));
  assertEquals(rejection("completed", nested(MAX_BODY_DEPTH)), "body: must nest at most 64 deep");
  assertEquals(rejection("completed", nested(30_000)), "body: must nest at most 64 deep");
  assert(
    "event" in parseRecord(record("task.t.started", nested(MAX_BODY_DEPTH))),
    "what is ignored may nest",
  );
  assertEquals([depthWithin(1, 0), depthWithin([], 0), depthWithin([], 1)], [true, false, true]);
});

Deno.test("no member of a hostile body reaches the event or Object.prototype", () => {
  const body = encoder.encode(
    '{"__proto__":{"total":5},"constructor":{"prototype":{"total":5}},"completed":1}',
  );
  const parsed = parseRecord(record("task.t.progress", body));
  assert("event" in parsed);
  assertEquals(said(parsed.event.body), { attempt: 1, completed: 1 });
  assertEquals(Object.getPrototypeOf(parsed.event.body), Object.prototype);
  assert(!("total" in Object.prototype));
});

Deno.test("what is plainly progress is what the schema makes of it, and what is not is left to the schema", () => {
  const rare = fc.constantFrom<unknown>(null, "", "x", -1, 0, 1.5, 2 ** 53, NaN, Infinity, [], {}, true);
  const member = <T>(usual: fc.Arbitrary<T>) => fc.oneof({ weight: 6, arbitrary: usual }, rare);
  const text = fc.oneof(fc.string(), fc.constantFrom("x".repeat(4096), "x".repeat(4097)));
  const bodies = fc.record({
    attempt: member(fc.constantFrom(1, 2, 1_000_000, 1_000_001)),
    total: member(fc.nat()),
    completed: member(fc.nat()),
    failed: member(fc.nat()),
    current: member(text),
    status: member(text),
    percentage: member(fc.double({ noNaN: true })),
    at: member(fc.constantFrom(0, 1_704_067_200_000, 253_402_300_799_999, 253_402_300_800_000)),
    seq: fc.nat(),
  }, { requiredKeys: [] });
  let plain = 0;
  fc.assert(
    fc.property(bodies, (body) => {
      const byHand = plainProgress(body);
      const bySchema = v.safeParse(BODIES.progress, body);
      if (byHand === undefined) return;
      plain++;
      assert(bySchema.success);
      assertEquals(said(byHand), said(bySchema.output));
    }),
    { numRuns: 1_000 },
  );
  assert(plain > 100, `only ${plain} of 1000 were plain`);
});

Deno.test("a rejection quotes at most 200 characters of what it rejects", () => {
  for (const body of [{ total: "x".repeat(60_000) }, { tags: ["x".repeat(60_000)] }]) {
    for (const kind of KINDS) {
      const parsed = parseRecord(record(`task.t.${kind}`, body));
      if ("rejected" in parsed) assert(parsed.rejected.length <= 200);
    }
  }
  assertMatch(rejection("progress", { total: "x".repeat(60_000) }), /^body\.total: .*…$/);
});

/** Asserts that a record becomes an event or a sentence of bounded length. */
function assertUnderstoodOrRejected(subject: string, body: Uint8Array): void {
  const parsed = parseRecord(record(subject, body));
  if ("event" in parsed) {
    assertEquals(eventSubject(parsed.event.taskId, parsed.event.kind), subject);
  } else {
    assertMatch(parsed.rejected, /^(subject|body)[^:]*: .+/s);
    assert(parsed.rejected.length <= 200);
  }
}

Deno.test("no bytes under any subject make parsing throw", () => {
  const subjects = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.tuple(
      fc.constantFrom("task", "data", ""),
      fc.string(),
      fc.constantFrom(...KINDS, "toString", "*", ">"),
    )
      .map((tokens) => tokens.join(".")),
  );
  fc.assert(
    fc.property(subjects, fc.uint8Array({ maxLength: 200 }), assertUnderstoodOrRejected),
    { numRuns: 2000 },
  );
});

Deno.test("no JSON under any kind makes parsing throw", () => {
  const members = [
    "attempt",
    "at",
    "total",
    "completed",
    "progress",
    "tags",
    "error",
    "reason",
    "result",
    "parent_id",
    "__proto__",
  ];
  const bodies = fc.oneof(
    fc.json({ maxDepth: 6 }),
    fc.array(fc.tuple(fc.constantFrom(...members), fc.json({ maxDepth: 3 })))
      .map((entries) => `{${entries.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}`),
  );
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), bodies, (kind, body) => {
      assertUnderstoodOrRejected(`task.t.${kind}`, encoder.encode(body));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("JSON nested as deep as a body can be does not overflow the stack", () => {
  for (const [open, close] of [["[", "]"], ['{"a":', "}"]] as const) {
    const depth = Math.floor(MAX_BODY_BYTES / (open.length + close.length)) - 20;
    const deep = `${open.repeat(depth)}1${close.repeat(depth)}`;
    for (const kind of KINDS) {
      assertUnderstoodOrRejected(`task.t.${kind}`, encoder.encode(`{"result":${deep}}`));
      assertUnderstoodOrRejected(`task.t.${kind}`, encoder.encode(deep));
    }
  }
});
