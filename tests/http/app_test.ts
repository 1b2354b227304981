import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LogError, type LogErrorCode } from "../../src/log/event_log.ts";
import { taskNamed } from "../sample_task.ts";
import { FakeGateway } from "./fake_gateway.ts";

async function get(gateway: FakeGateway, path: string, method = "GET") {
  const response = await gateway.app().request(path, { method });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: text === "" ? undefined : parsed(text),
  };
}

function parsed(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

Deno.test("tasks are listed as get_tasks lists them, with numbers read from the query", async () => {
  const gateway = new FakeGateway();
  gateway.tasks.set("a", taskNamed("a"));
  const answer = await get(
    gateway,
    "/api/tasks?status=running&tag=2024&parent_id=7&type=42&limit=5&page=2&token=x",
  );
  assertEquals([answer.status, answer.json], [200, { tasks: [taskNamed("a")], total: 1 }]);
  await get(gateway, "/api/tasks");
  assertEquals(gateway.asked, [
    ["list", { status: "running", tag: "2024", parent_id: "7", type: "42", limit: 5, page: 2 }],
    ["list", { limit: 100, page: 1 }],
  ]);
});

Deno.test("a query that breaks a rule is told which", async () => {
  const wrong: [string, string][] = [
    ["/api/tasks?limit=0", "limit: "],
    ["/api/tasks?limit=1001", "limit: "],
    ["/api/tasks?limit=ten", "limit: "],
    ["/api/tasks?limit=1e2", "limit: "],
    ["/api/tasks?limit=", "limit: "],
    ["/api/tasks?limit=5&limit=6", "limit: must be given once"],
    ["/api/tasks?page=0", "page: "],
    ["/api/tasks?status=exploded", "status: "],
    ["/api/tasks?tag=a,b", "tag: must be 1–64 letters"],
    ["/api/tasks?parent_id=a.b", "parent_id: must be 1–128"],
    ["/api/tasks/a.b", "task_id: must be 1–128"],
    ["/api/tasks/a%2Fb", "task_id: must be 1–128"],
    ["/api/tasks/a/events?after_seq=-1", "after_seq: "],
    ["/api/tasks/a/events?after_seq=9999999999999999", "after_seq: "],
    ["/api/tasks/a/events?limit=99999", "limit: "],
  ];
  for (const [path, detail] of wrong) {
    const gateway = new FakeGateway();
    const answer = await get(gateway, path);
    assertEquals([answer.status, answer.json.code], [400, "INVALID_MESSAGE"], path);
    assert(answer.json.detail.startsWith(detail), `${path}: ${answer.json.detail}`);
    assertEquals(gateway.asked, []);
  }
});

Deno.test("a task and its history are found by its id, which no query can change", async () => {
  const gateway = new FakeGateway();
  gateway.tasks.set("job_1-A", taskNamed("job_1-A"));
  gateway.events.push({ seq: 7, time: "2026-01-02T03:04:05.000Z", kind: "started", body: {} });
  assertEquals((await get(gateway, "/api/tasks/job_1-A?task_id=other")).json, taskNamed("job_1-A"));
  const history = await get(gateway, "/api/tasks/job_1-A/events?after_seq=6&limit=1");
  assertEquals(history.json, { task_id: "job_1-A", events: gateway.events });
  assertEquals(gateway.asked, [["task", "job_1-A"], ["history", "job_1-A", 6, 1]]);
});

Deno.test("a task that the log does not know is TASK_NOT_FOUND", async () => {
  for (const path of ["/api/tasks/nope", "/api/tasks/nope/events"]) {
    const answer = await get(new FakeGateway(), path);
    assertEquals([answer.status, answer.headers.get("content-type"), answer.json], [
      404,
      "application/problem+json",
      {
        type: "about:blank",
        title: "Not Found",
        status: 404,
        detail: "no task nope",
        code: "TASK_NOT_FOUND",
        details: { task_id: "nope" },
      },
    ]);
  }
});

Deno.test("a path that does not exist is 404, a method that it does not have 405 with those it has", async () => {
  for (
    const path of ["/", "/api", "/api/", "/api/tasks/", "/api/nope", "/api/tasks/a/b", "/nope", "/metrics/x"]
  ) {
    const answer = await get(new FakeGateway(), path);
    assertEquals([answer.status, answer.json.status, answer.json.code], [404, 404, "INVALID_MESSAGE"], path);
  }
  const wrong: [string, string, string][] = [
    ["PUT", "/api/tasks/a/events", "POST, GET, HEAD"],
    ["DELETE", "/api/tasks/a", "GET, HEAD"],
    ["POST", "/api/tasks", "GET, HEAD"],
    ["OPTIONS", "/api/tasks", "GET, HEAD"],
    ["POST", "/healthz", "GET, HEAD"],
    ["POST", "/metrics", "GET, HEAD"],
    ["PATCH", "/api/rejected", "GET, HEAD"],
  ];
  for (const [method, path, allow] of wrong) {
    const answer = await get(new FakeGateway(), path, method);
    assertEquals(
      [answer.status, answer.headers.get("allow"), answer.json.status],
      [405, allow, 405],
      `${method} ${path}`,
    );
  }
});

Deno.test("HEAD answers as GET does, without the body", async () => {
  const gateway = new FakeGateway();
  gateway.tasks.set("a", taskNamed("a"));
  for (const path of ["/api/tasks", "/api/tasks/a", "/api/tasks/nope", "/healthz", "/metrics", "/nope"]) {
    const [head, full] = [await get(gateway, path, "HEAD"), await get(gateway, path)];
    assertEquals(head.text, "");
    assertEquals([head.status, head.headers.get("content-type")], [
      full.status,
      full.headers.get("content-type"),
    ], path);
  }
});

Deno.test("every answer says what it is and is not kept by anybody", async () => {
  for (const path of ["/api/tasks", "/api/tasks/a", "/nope", "/healthz", "/metrics", "/api/tasks?limit=x"]) {
    const { headers } = await get(new FakeGateway(), path);
    assertEquals([headers.get("x-content-type-options"), headers.get("cache-control")], [
      "nosniff",
      "no-store",
    ], path);
  }
});

Deno.test("a gateway is alive from the start, and ready when nothing speaks against it", async () => {
  const gateway = new FakeGateway();
  gateway.reasons = ["the log is out of reach", "the projection has not caught up"];
  const [alive, notReady] = [await get(gateway, "/healthz"), await get(gateway, "/readyz")];
  assertEquals([alive.status, alive.json], [200, { status: "ok" }]);
  assertEquals([notReady.status, notReady.json], [503, { ready: false, reasons: gateway.reasons }]);
  gateway.reasons = [];
  const ready = await get(gateway, "/readyz");
  assertEquals([ready.status, ready.json], [200, { ready: true, reasons: [] }]);
});

Deno.test("rejected records are listed", async () => {
  assertEquals((await get(new FakeGateway(), "/api/rejected")).json, { total: 1, items: [] });
});

Deno.test("requests are counted by method, route and class of status, whatever path was asked for", async () => {
  const gateway = new FakeGateway();
  gateway.tasks.set("a", taskNamed("a"));
  for (const path of ["/api/tasks/a", "/api/tasks/b", "/api/tasks/c", "/one", "/two", "/api/tasks?limit=x"]) {
    await get(gateway, path);
  }
  await get(gateway, "/api/tasks/a", "PUT");
  const { text, headers } = await get(gateway, "/metrics");
  assertEquals(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const counted = text.split("\n").filter((line) => line.startsWith("taskwire_http_requests_total{"));
  assertEquals(counted.sort(), [
    'taskwire_http_requests_total{method="GET",route="/api/tasks",status="4xx"} 1',
    'taskwire_http_requests_total{method="GET",route="/api/tasks/:id",status="2xx"} 1',
    'taskwire_http_requests_total{method="GET",route="/api/tasks/:id",status="4xx"} 2',
    'taskwire_http_requests_total{method="GET",route="other",status="4xx"} 2',
    'taskwire_http_requests_total{method="PUT",route="other",status="4xx"} 1',
  ]);
});

Deno.test("when the log fails the client is told whether to come back, and the incident", async () => {
  const expected: [LogErrorCode, number, string | null][] = [
    ["unreachable", 503, "1"],
    ["closed", 503, "1"],
    ["refused", 507, null],
    ["mismatch", 500, null],
  ];
  for (const [code, status, retryAfter] of expected) {
    const gateway = new FakeGateway();
    gateway.failure = new LogError(code, "secret-host:4222 said no", {
      cause: new Error("password=hunter2"),
    });
    const response = await gateway.app().request("/api/tasks/a/events", {
      method: "POST",
      body: new TextEncoder().encode('{"kind":"started"}'),
    });
    const problem = await response.json();
    assertEquals([response.status, response.headers.get("retry-after")], [status, retryAfter], code);
    assertEquals([problem.code, problem.details.incident], ["SERVER_ERROR", "incident_1"]);
    assertEquals(problem.details.retry_after_ms, retryAfter === null ? undefined : 1000);
    assert(!JSON.stringify(problem).includes("secret-host") && !JSON.stringify(problem).includes("hunter2"));
    const [line = "", ...more] = gateway.lines;
    assertEquals(more, []);
    assert(!line.includes("stack="));
    assertStringIncludes(
      line,
      'warn failed incident=incident_1 where="POST /api/tasks/:id/events" error="LogError: secret-host',
    );
  }
});

Deno.test("a fault of ours is 500 with an incident id, and only the log knows more", async () => {
  const gateway = new FakeGateway();
  gateway.failure = new TypeError("cannot read secrets of undefined");
  const { status, json, text } = await get(gateway, "/api/tasks/a");
  assertEquals([status, json.code, json.details], [500, "SERVER_ERROR", { incident: "incident_1" }]);
  assert(!text.includes("secrets"));
  assertEquals(gateway.lines.length, 1);
  assertStringIncludes(gateway.lines.join(), 'error incident incident=incident_1 where="GET /api/tasks/:id"');
  assertStringIncludes(gateway.lines.join(), "TypeError: cannot read secrets of undefined");
});

Deno.test("a guard stands before everything below /api, and before nothing else", async () => {
  const gateway = new FakeGateway();
  const app = gateway.app({ guards: [() => Promise.resolve(new Response("no", { status: 403 }))] });
  const post = { method: "POST", body: new TextEncoder().encode('{"kind":"started"}') };
  assertEquals((await app.request("/api/tasks/a/events", post)).status, 403);
  for (const path of ["/api/tasks", "/api/tasks/a", "/api/rejected"]) {
    assertEquals((await app.request(path)).status, 403);
  }
  for (const path of ["/healthz", "/readyz", "/metrics"]) assertEquals((await app.request(path)).status, 200);
  assertEquals([gateway.asked, gateway.appended], [[], []]);
});
