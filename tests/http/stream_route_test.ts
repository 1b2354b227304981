import { assertEquals } from "@std/assert";
import { FakeGateway } from "./fake_gateway.ts";

/** What Node has of a request, as far as the route looks at it. */
const NODE = { incoming: { socket: { remoteAddress: "127.0.0.9" } }, outgoing: {} };

async function get(gateway: FakeGateway, path: string, init: RequestInit = {}) {
  const response = await gateway.app().request(path, init, NODE);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

Deno.test("a stream is asked for with the query, the last event's id and the peer's address", async () => {
  const gateway = new FakeGateway();
  const headers = { "last-event-id": "7:42", origin: "https://app.example.org" };
  const answer = await get(gateway, "/api/stream?topics=task:status&since=7:1", { headers });
  assertEquals([answer.status, answer.text], [200, ""]);
  assertEquals(gateway.asked, [[
    "stream",
    "topics=task%3Astatus&since=7%3A1",
    "7:42",
    "127.0.0.9",
    { "access-control-allow-origin": "https://app.example.org", vary: "origin" },
  ]]);
});

Deno.test("why there is no stream is told as a problem, and when to come back", async () => {
  const gateway = new FakeGateway();
  const details = { limit: "MAX_CONNECTIONS_PER_CLIENT", max: 2, retry_after_ms: 1_500 };
  const error = { code: "LIMIT_EXCEEDED", message: "too many connections", details } as const;
  gateway.noStream = { status: 429, error };
  const { status, headers, text } = await get(gateway, "/api/stream?topics=task:status");
  assertEquals([status, headers.get("content-type"), headers.get("retry-after")], [
    429,
    "application/problem+json",
    "2",
  ]);
  assertEquals(JSON.parse(text), {
    type: "about:blank",
    title: "Too Many Requests",
    status: 429,
    detail: "too many connections",
    code: "LIMIT_EXCEEDED",
    details,
  });
});

Deno.test("HEAD of a stream begins none", async () => {
  const gateway = new FakeGateway();
  const { status, headers } = await get(gateway, "/api/stream?topics=task:status", { method: "HEAD" });
  assertEquals([status, headers.get("content-type"), gateway.asked], [200, "text/event-stream", []]);
});
