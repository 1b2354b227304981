import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { BodyMemory, withJson } from "../../src/http/body.ts";
import { entryFault } from "../../src/log/event_log.ts";
import { parseRecord } from "../../src/task/worker_event.ts";
import { bodyText, FakeGateway } from "./fake_gateway.ts";

type Init = { body?: BodyInit; headers?: Record<string, string> };

async function post(gateway: FakeGateway, path: string, { body, headers = {} }: Init) {
  const response = await gateway.app().request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

const postJson = (gateway: FakeGateway, value: unknown, headers: Record<string, string> = {}) =>
  post(gateway, "/api/tasks/job1/events", { body: JSON.stringify(value), headers });

Deno.test("one event is appended under its task and kind, its body without kind and event_id", async () => {
  const gateway = new FakeGateway();
  const answer = await postJson(gateway, {
    kind: "progress",
    event_id: "e1",
    total: 10,
    completed: 3,
    mine: { a: [1] },
  });
  assertEquals([answer.status, answer.json], [202, { results: [{ seq: 1, duplicate: false }] }]);
  const [entry] = gateway.appended;
  assert(entry !== undefined);
  assertEquals(entry.subject, "task.job1.progress");
  assertEquals(entry.id, "job1:e1");
  assertEquals(bodyText(entry), '{"total":10,"completed":3,"mine":{"a":[1]}}');
});

Deno.test("an array is appended in order, and each event has its own result", async () => {
  const gateway = new FakeGateway();
  const events = [{ kind: "created" }, { kind: "started" }, { kind: "started", event_id: "again" }];
  const first = await postJson(gateway, events, { "idempotency-key": "k" });
  assertEquals(first.json.results.map(({ seq }: { seq: number }) => seq), [1, 2, 3]);
  assertEquals(gateway.appended.map(({ id }) => id), ["job1:k:0", "job1:k:1", "job1:again"]);
  const again = await postJson(gateway, events, { "idempotency-key": "k" });
  assertEquals(again.json.results, [1, 2, 3].map((seq) => ({ seq, duplicate: true })));
  assertEquals(gateway.appended.length, 3);
});

Deno.test("the Idempotency-Key names a single event, and an event_id wins over it", async () => {
  const gateway = new FakeGateway();
  await postJson(gateway, { kind: "started" }, { "idempotency-key": "k" });
  await postJson(gateway, { kind: "paused", event_id: "e" }, { "idempotency-key": "k" });
  await postJson(gateway, { kind: "resumed" });
  assertEquals(gateway.appended.map(({ id }) => id), ["job1:k", "job1:e", undefined]);
});

Deno.test("the same key of two tasks names two events", async () => {
  const gateway = new FakeGateway();
  for (const id of ["a", "b"]) {
    const body = JSON.stringify({ kind: "started", event_id: "1" });
    const answer = await post(gateway, `/api/tasks/${id}/events`, { body });
    assertEquals(answer.json.results[0].duplicate, false);
  }
});

Deno.test("the longest names still make an id that the log takes", async () => {
  const gateway = new FakeGateway();
  const path = `/api/tasks/${"t".repeat(128)}/events`;
  const body = JSON.stringify(Array.from({ length: 1000 }, () => ({ kind: "started" })));
  const answer = await post(gateway, path, { body, headers: { "idempotency-key": "k".repeat(100) } });
  assertEquals(answer.status, 202);
  assertEquals(gateway.appended.map(entryFault).filter((fault) => fault !== undefined), []);
});

Deno.test("one bad event and nothing of its array is appended; the problem names the index, member and rule", async () => {
  const gateway = new FakeGateway();
  const { status, headers, json } = await postJson(gateway, [{ kind: "started" }, {
    kind: "progress",
    total: -1,
  }]);
  assertEquals(headers.get("content-type"), "application/problem+json");
  assertEquals([status, json], [400, {
    type: "about:blank",
    title: "Bad Request",
    status: 400,
    detail: "[1] body.total: Invalid value: Expected >=0 but received -1",
    code: "INVALID_MESSAGE",
    details: { index: 1 },
  }]);
  assertEquals(gateway.appended, []);
});

Deno.test("every rule of an event is told by its problem", async () => {
  const wrong: [unknown, string][] = [
    [{}, "kind: "],
    [{ kind: "exploded" }, "kind: must be one of created, "],
    [{ kind: "toString" }, "kind: must be one of created, "],
    [{ kind: 7 }, "kind: "],
    [{ kind: "started", event_id: "" }, "event_id: must be 1–100 visible ASCII characters"],
    [{ kind: "started", event_id: "a b" }, "event_id: must be 1–100 visible ASCII characters"],
    [{ kind: "started", event_id: 5 }, "event_id: "],
    [{ kind: "started", attempt: 0 }, "body.attempt: "],
    [{ kind: "created", tags: ["fine", "a,b"] }, "body.tags.1: must be 1–64 letters, digits or ._@/+=-"],
    ["started", "an event must be a JSON object"],
    [null, "an event must be a JSON object"],
    [[[]], "[0] an event must be a JSON object"],
    [[], "the body must hold at least one event"],
  ];
  for (const [value, detail] of wrong) {
    const gateway = new FakeGateway();
    const answer = await postJson(gateway, value);
    assertEquals([answer.status, answer.json.code], [400, "INVALID_MESSAGE"], JSON.stringify(value));
    assert(answer.json.detail.startsWith(detail), `${answer.json.detail} should start with ${detail}`);
    assertEquals(gateway.asked, []);
  }
  const keyed = await postJson(new FakeGateway(), { kind: "started" }, { "idempotency-key": "a b" });
  assertEquals(keyed.json.detail, "idempotency-key: must be 1–100 visible ASCII characters");
});

Deno.test("a task id that is no subject token is refused", async () => {
  for (const id of ["a.b", "*", "%3E", "a%2Fb", "a%20b", "%00", "%zz", "a".repeat(129), "ä"]) {
    const answer = await post(new FakeGateway(), `/api/tasks/${id}/events`, { body: '{"kind":"started"}' });
    assertEquals([answer.status, answer.json.code], [400, "INVALID_MESSAGE"], id);
    assertStringIncludes(answer.json.detail, "task_id: must be 1–128 characters");
  }
});

Deno.test("bounds are told with their name and their value", async () => {
  const bounds: [unknown, Record<string, unknown>][] = [
    [Array.from({ length: 1001 }, () => ({ kind: "started" })), { limit: "events", max: 1000 }],
    [{ kind: "completed", result: "x".repeat(65_536) }, { limit: "event_bytes", max: 65_536 }],
    [[{ kind: "completed", result: "é".repeat(40_000) }], { limit: "event_bytes", max: 65_536, index: 0 }],
    [{ kind: "completed", result: "x".repeat(1_048_576) }, { limit: "body_bytes", max: 1_048_576 }],
  ];
  for (const [value, details] of bounds) {
    const gateway = new FakeGateway();
    const answer = await postJson(gateway, value);
    assertEquals([answer.status, answer.json.code, answer.json.details], [413, "LIMIT_EXCEEDED", details]);
    assertEquals(gateway.appended, []);
  }
  const most = await postJson(new FakeGateway(), Array.from({ length: 1000 }, () => ({ kind: "started" })));
  assertEquals(most.status, 202);
  const largest = await postJson(new FakeGateway(), { kind: "completed", result: "x".repeat(65_536 - 13) });
  assertEquals(largest.status, 202);
});

Deno.test("what is not UTF-8 JSON is refused, however it is broken", async () => {
  const bodies: BodyInit[] = [
    "",
    "{",
    "{'kind':'started'}",
    '{"kind":"started"} x',
    new Uint8Array([0x22, 0xff, 0x22]),
    "\u0000",
    "NaN",
  ];
  for (const body of bodies) {
    const answer = await post(new FakeGateway(), "/api/tasks/job1/events", { body });
    assertEquals([answer.status, answer.json.detail], [400, "the body must be UTF-8 JSON"], String(body));
  }
  const marked = await post(new FakeGateway(), "/api/tasks/job1/events", {
    body: '\ufeff{"kind":"started"}',
  });
  assertEquals(marked.status, 202);
});

Deno.test("nesting is bounded before anything walks into it", async () => {
  const deep = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  for (const [kind, member] of [["completed", "result"], ["progress", "unknown"], ["started", "__proto__"]]) {
    const body = `{"kind":"${kind}","${member}":${deep(400_000)}}`;
    const answer = await post(new FakeGateway(), "/api/tasks/job1/events", { body });
    assertEquals([answer.status, answer.json.detail], [400, "an event must nest at most 64 deep"], member);
  }
  const whole = await post(new FakeGateway(), "/api/tasks/job1/events", { body: deep(400_000) });
  assertEquals(whole.status, 400);
  const fits = await post(new FakeGateway(), "/api/tasks/job1/events", {
    body: `{"kind":"completed","result":${deep(63)}}`,
  });
  assertEquals(fits.status, 202);
});

Deno.test("__proto__ is a member like any other", async () => {
  const gateway = new FakeGateway();
  const body =
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"kind":"progress","total":5}';
  const answer = await post(gateway, "/api/tasks/job1/events", { body });
  assertEquals(answer.status, 202);
  assertEquals(gateway.appended.map(bodyText), [body.replace(',"kind":"progress"', "")]);
  assertEquals(({} as Record<string, unknown>)["polluted"], undefined);
  const inherited = await post(gateway, "/api/tasks/job1/events", {
    body: '{"__proto__":{"kind":"started"}}',
  });
  assertEquals(inherited.status, 400);
});

Deno.test("only JSON is taken, and from a browser only when it says so", async () => {
  const body = new TextEncoder().encode('{"kind":"started"}');
  const withHeaders = (headers: Record<string, string>) =>
    new FakeGateway().app().request("/api/tasks/job1/events", { method: "POST", headers, body });
  for (const type of ["application/json", "Application/JSON; charset=utf-8", "application/json ;a=b"]) {
    assertEquals(
      (await withHeaders({ "content-type": type, origin: "https://app.example.org" })).status,
      202,
      type,
    );
  }
  assertEquals((await withHeaders({})).status, 202);
  const refused: Record<string, string>[] = [
    { "content-type": "text/plain" },
    { "content-type": "application/x-www-form-urlencoded" },
    { "content-type": "application/jsonp" },
    { "content-type": "" },
    { origin: "https://evil.example.org" },
    { "content-type": "application/json", "content-encoding": "gzip" },
  ];
  for (const headers of refused) {
    const response = await withHeaders(headers);
    assertEquals(
      [response.status, response.headers.get("accept-post")],
      [415, "application/json, application/cloudevents+json, application/cloudevents-batch+json"],
      JSON.stringify(headers),
    );
  }
});

Deno.test("the worker's traceparent goes along with each of its events, and nothing else in that header does", async () => {
  const gateway = new FakeGateway();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await postJson(gateway, [{ kind: "created" }, { kind: "started" }], { traceparent });
  await postJson(gateway, { kind: "started" }, { traceparent: "cc" + traceparent.slice(2) + "-news" });
  await postJson(gateway, { kind: "started" }, { traceparent: "nonsense" });
  assertEquals(gateway.appended.map((entry) => entry.traceparent), [
    traceparent,
    traceparent,
    traceparent,
    undefined,
  ]);
});

Deno.test("any JSON at all is either refused or stored as an event that the projection understands", async () => {
  const body = fc.oneof(
    fc.json({ maxDepth: 5 }),
    fc.string({ unit: "binary" }),
    fc.record({
      kind: fc.constantFrom(
        "created",
        "started",
        "progress",
        "completed",
        "failed",
        "retrying",
        "cancelled",
        "x",
      ),
      event_id: fc.oneof(fc.string(), fc.constant(undefined)),
      total: fc.oneof(fc.double(), fc.jsonValue()),
      at: fc.oneof(fc.integer(), fc.string(), fc.date({ noInvalidDate: true })),
      progress: fc.jsonValue(),
      error: fc.jsonValue(),
      tags: fc.array(fc.string()),
    }, { requiredKeys: [] }).map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(body, async (text) => {
      const gateway = new FakeGateway();
      const answer = await post(gateway, "/api/tasks/job1/events", { body: text });
      assert(answer.status === 202 || answer.status === 400, `${answer.status} for ${text}`);
      for (const entry of gateway.appended) {
        assertEquals(entryFault(entry), undefined);
        assert("event" in parseRecord({ ...entry, seq: 1, time: 1 }), bodyText(entry));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("a body is read while there is memory for it, which is given back", async () => {
  const memory = new BodyMemory(100_000);
  const request = (bytes: number, declared: boolean) =>
    new Request("http://x/", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(declared ? { "content-length": String(bytes) } : {}),
      },
      body: `"${"x".repeat(bytes - 2)}"`,
    });
  const held = Promise.withResolvers<Response>();
  const using = withJson(request(60_000, true), memory, () => held.promise);
  for (const declared of [true, false]) {
    const refused = await withJson(
      request(60_000, declared),
      memory,
      () => Promise.reject(new Error("never")),
    );
    assert(!(refused instanceof Response));
    assertEquals([refused.status, refused.code, refused.headers?.["retry-after"]], [
      503,
      "RATE_LIMITED",
      "1",
    ]);
  }
  held.resolve(new Response("done"));
  await using;
  for (let i = 0; i < 5; i++) {
    const served = await withJson(
      request(95_000, i % 2 === 0),
      memory,
      () => Promise.resolve(new Response("ok")),
    );
    assert(served instanceof Response);
  }
});
