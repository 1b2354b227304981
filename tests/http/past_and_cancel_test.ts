import { assertEquals } from "@std/assert";
import type { Refused } from "../../src/protocol/server_frames.ts";
import { originGuard } from "../../src/http/origin_guard.ts";
import { taskNamed } from "../sample_task.ts";
import { FakeGateway } from "./fake_gateway.ts";

async function asked(gateway: FakeGateway, path: string, init: RequestInit = {}) {
  const response = await gateway.app().request(path, init);
  return { status: response.status, headers: response.headers, json: await response.json() };
}

const CANCEL = "/api/tasks/a/cancel";

function post(body?: string, headers: Record<string, string> = {}): RequestInit {
  return { method: "POST", headers, ...(body === undefined ? {} : { body: new TextEncoder().encode(body) }) };
}

const JSON_BODY = { "content-type": "application/json" };

Deno.test("the past is asked for by position or by time", async () => {
  const gateway = new FakeGateway();
  gateway.tasks.set("a", taskNamed("a"));
  for (const path of ["/api/tasks/a", "/api/tasks"]) {
    await asked(gateway, `${path}?at_seq=7`);
    await asked(gateway, `${path}?at_seq=7&at_epoch=12`);
    await asked(gateway, `${path}?at_time=1704067200000`);
    await asked(gateway, `${path}?at_time=2024-01-01T01:00:00%2B01:00`);
  }
  const ats = [{ seq: 7 }, { seq: 7, epoch: "12" }, { time: 1704067200000 }, { time: 1704067200000 }];
  assertEquals(gateway.asked, [
    ...ats.map((at) => ["task", "a", at]),
    ...ats.map((at) => ["list", { limit: 100, page: 1, at }]),
  ]);
});

Deno.test("a past that is none is told so", async () => {
  const wrong: [string, string][] = [
    ["at_seq=-1", "at: must be"],
    ["at_seq=x", "at: must be"],
    ["at_seq=", "at: must be"],
    ["at_time=now", "at: must be"],
    ["at_epoch=e", "at: must be"],
    ["at_seq=1&at_time=1", "at: must be"],
    ["at_seq=1&at_seq=2", "at_seq: must be given once"],
  ];
  for (const [query, detail] of wrong) {
    for (const path of ["/api/tasks/a", "/api/tasks"]) {
      const gateway = new FakeGateway();
      const { status, json } = await asked(gateway, `${path}?${query}`);
      assertEquals([status, json.code, json.detail.slice(0, detail.length)], [
        400,
        "INVALID_MESSAGE",
        detail,
      ]);
      assertEquals(gateway.asked, []);
    }
  }
});

Deno.test("a request to cancel is accepted with a reason and without a body", async () => {
  const gateway = new FakeGateway();
  const requests = [
    post('{"reason": "slow", "task_id": "other"}', JSON_BODY),
    post("{}", JSON_BODY),
    post("", JSON_BODY),
    post(),
  ];
  for (const request of requests) {
    const { status, json } = await asked(gateway, CANCEL, request);
    assertEquals([status, json], [202, { task_id: "a", seq: 7 }]);
  }
  assertEquals(gateway.asked, [
    ["cancel", "a", "slow"],
    ["cancel", "a", undefined],
    ["cancel", "a", undefined],
    ["cancel", "a", undefined],
  ]);
});

Deno.test("what is no request to cancel is refused", async () => {
  const wrong: [string, RequestInit, number][] = [
    [CANCEL, post("[]", JSON_BODY), 400],
    [CANCEL, post("null", JSON_BODY), 400],
    [CANCEL, post('{"reason": 7}', JSON_BODY), 400],
    [CANCEL, post(JSON.stringify({ reason: "x".repeat(4_097) }), JSON_BODY), 400],
    [CANCEL, post("reason=x", { "content-type": "application/x-www-form-urlencoded" }), 415],
    [CANCEL, post(undefined, { origin: "http://localhost" }), 415],
    ["/api/tasks/a.b/cancel", post("{}", JSON_BODY), 400],
    [CANCEL, { method: "GET" }, 405],
  ];
  for (const [path, request, status] of wrong) {
    const gateway = new FakeGateway();
    assertEquals((await asked(gateway, path, request)).status, status);
    assertEquals(gateway.asked, []);
  }
});

Deno.test("what cannot be had has a status of its own, and the code of the socket", async () => {
  const refused = (code: Refused["refused"]["code"], details = {}): Refused => ({
    refused: { code, message: "so it is", details },
  });
  const gone = refused("LIMIT_EXCEEDED", { limit: "retention", first_seq: 9 });
  const cases: [string, RequestInit, Refused, number, string | null][] = [
    ["/api/tasks?at_seq=1", {}, gone, 410, null],
    ["/api/tasks?at_seq=1", {}, refused("RATE_LIMITED", { retry_after_ms: 1_500 }), 429, "2"],
    [CANCEL, post(), refused("INVALID_MESSAGE", { status: "failed" }), 409, null],
    [CANCEL, post(), refused("TASK_NOT_FOUND"), 404, null],
  ];
  for (const [path, request, refusal, status, retryAfter] of cases) {
    const gateway = new FakeGateway();
    gateway.refusal = refusal;
    const { headers, json } = await asked(gateway, path, request);
    const { code, message, details } = refusal.refused;
    assertEquals([json.status, json.code, json.detail, json.details], [status, code, message, details]);
    assertEquals(headers.get("retry-after"), retryAfter);
  }
});

Deno.test("a page of another site cannot cancel", async () => {
  const gateway = new FakeGateway();
  const app = gateway.app({ guards: [originGuard("same-host")] });
  for (const [origin, status] of [["http://evil.example", 403], ["http://localhost", 202]] as const) {
    const headers = { ...JSON_BODY, origin, host: "localhost" };
    assertEquals((await app.request(CANCEL, post("{}", headers))).status, status);
  }
  assertEquals(gateway.asked, [["cancel", "a", undefined]]);
});
