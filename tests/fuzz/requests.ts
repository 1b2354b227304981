import fc from "fast-check";
import { utf8 } from "../hostile/raw_bytes.ts";
import { requestOf } from "../hostile/raw_http.ts";
import { appended, saidOf } from "./events.ts";
import { publication, TASK_IDS } from "./frames.ts";
import { mutated } from "./json_mutation.ts";

const ODD_SEGMENTS = [
  "%00",
  "%2e%2e",
  "..",
  "%2F",
  "%5c",
  "*",
  ">",
  "%0d%0a",
  "%ff",
  "%",
  "%E2%82",
  "%C0%AF",
  "a%20b",
  "job1%00",
  "x".repeat(200),
  "",
  "__proto__",
];

const id = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...TASK_IDS) },
  { weight: 2, arbitrary: fc.constantFrom(...ODD_SEGMENTS) },
);

const path = fc.oneof(
  { weight: 4, arbitrary: id.map((id) => `/api/tasks/${id}/events`) },
  { weight: 3, arbitrary: id.map((id) => `/api/tasks/${id}`) },
  { weight: 3, arbitrary: fc.constant("/api/tasks") },
  { weight: 2, arbitrary: id.map((id) => `/api/tasks/${id}/cancel`) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "/api/tickets",
      "/api/events",
      "/api/rejected",
      "/api/channels",
      "/api/publish",
      "/api/publish",
      "/api/plugins",
      "/api/plugins/nothing/enable",
      "/asyncapi.json",
      "/openapi.json",
      "/healthz",
      "/readyz",
      "/",
      "/client.js",
      "/nothing",
      "/ws",
      "/ws/task",
      "*",
      "//",
      "/api//tasks",
      "/API/tasks",
      "/api/tasks/",
      "/%61pi/tasks",
      "http://gateway.test/api/tasks",
      "http://[::1",
      "/api/./tasks",
      "/ws/..%2fapi/tasks",
    ),
  },
);

const NAMES = [
  "status",
  "tag",
  "parent_id",
  "type",
  "limit",
  "page",
  "at_seq",
  "at_epoch",
  "at_time",
  "after_seq",
  "token",
  "topics",
];
const VALUES = [
  "1",
  "0",
  "-1",
  "1000",
  "1001",
  "1e3",
  "0x10",
  "01",
  "9".repeat(30),
  "NaN",
  "",
  "running",
  "eu",
  "%00",
  "%ff",
  "2024-01-01T00:00:00Z",
  "__proto__",
  "%F0%9F%98%80",
  "a%26b",
  "+",
  "1%2B1",
];

const query = fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES)), { maxLength: 4 }).map(
  (pairs) => pairs.length === 0 ? "" : `?${pairs.map(([name, value]) => `${name}=${value}`).join("&")}`,
);

const HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ["Content-Type", [
    "application/json",
    "application/json; charset=utf-8",
    "text/plain",
    "application/json;",
    "",
    "multipart/form-data",
  ]],
  ["Authorization", ["Bearer x", "Basic eA==", "Bearer", "bearer  ", "Bearer a b"]],
  ["Origin", ["null", "http://gateway.test", "https://evil.test", "http://gateway.test.evil.test", ""]],
  ["Idempotency-Key", ["key-1", "a b", "x".repeat(101), "é"]],
  ["traceparent", ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-0-0-00", "ff"]],
  ["X-Forwarded-For", ["10.0.0.1", "10.0.0.1, , 1", "__proto__"]],
  ["Content-Encoding", ["gzip", "identity", "GZIP"]],
  ["Accept", ["*/*", "text/event-stream"]],
  ["Expect", ["100-continue", "nothing"]],
  ["Sec-WebSocket-Extensions", [
    "permessage-deflate",
    "permessage-deflate; server_max_window_bits=99",
    ";;,",
  ]],
  ["Sec-WebSocket-Protocol", ["taskwire.v1.cbor", ",", "taskwire.bearer.%"]],
  ["Upgrade", ["h2c", "websocket", "x"]],
  ["Range", ["bytes=0-0", "bytes=9-1"]],
  ["If-None-Match", ["*", '"x"', "W/"]],
  ["Accept-Encoding", ["gzip", "br;q=0.1, *;q=0", "\u0001"]],
  ["Last-Event-ID", ["a:1", ":", "x".repeat(300)]],
  ["Host", ["gateway.test", "", "a b", "gateway.test:99999", "[::1]:8000", "evil@gateway.test"]],
];

const headers = fc.subarray([...HEADERS], { maxLength: 4 }).chain((some) =>
  fc.tuple(...some.map(([name, values]) => fc.constantFrom(...values).map((value) => [name, value] as const)))
).map((pairs) => Object.fromEntries(pairs));

const body = fc.oneof(
  { weight: 6, arbitrary: appended },
  { weight: 1, arbitrary: mutated(fc.constant({ reason: "wrong input" })) },
  { weight: 2, arbitrary: mutated(fc.oneof(publication, fc.array(publication, { maxLength: 3 }))) },
  { weight: 1, arbitrary: fc.constant("") },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 50 }) },
);

const method = fc.oneof(
  { weight: 5, arbitrary: fc.constant("POST") },
  { weight: 5, arbitrary: fc.constant("GET") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "BREW"),
  },
);

/** Requests as bytes; the length of the body is said as it is, so that each can be answered. */
export const requests: fc.Arbitrary<Uint8Array> = fc.record({ method, path, query, headers, body }).map((
  { method, path, query, headers, body },
) => {
  const bytes = utf8(saidOf(/^\/api\/tasks\/(.*)$/.exec(path)?.[1] ?? "", body));
  const length = bytes.length > 0 || method === "POST" ? { "Content-Length": String(bytes.length) } : {};
  const type = method === "POST" ? { "Content-Type": "application/json" } : {};
  return requestOf(`${method} ${path}${query} HTTP/1.1`, { ...type, ...length, ...headers }, bytes);
});
