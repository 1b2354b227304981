import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { cbor, json, jsonBatch } from "../../src/protocol/codec.ts";
import { type Handshake, judge, type UpgradeRequest } from "../../src/transport/handshake.ts";
import type { AllowedOrigins } from "../../src/transport/origin.ts";

const PLAIN: UpgradeRequest = {
  url: "/ws",
  host: "127.0.0.1:8000",
  origin: undefined,
  authorization: undefined,
  protocols: undefined,
};

type Asked = Partial<UpgradeRequest> & { readonly allow?: AllowedOrigins };

function judged({ allow = "same-host", ...request }: Asked): ReturnType<typeof judge> {
  return judge({ ...PLAIN, ...request }, allow);
}

/** The handshake that is accepted; fails where it is not. */
function accepted(url: string, more: Asked = {}): Handshake {
  const outcome = judged({ url, ...more });
  if (!("accept" in outcome)) throw new TypeError(`refused with ${outcome.status}: ${outcome.reason}`);
  return outcome.accept;
}

function statusOf(asked: Asked): number {
  const outcome = judged(asked);
  return "accept" in outcome ? 101 : outcome.status;
}

Deno.test("nothing but a path is needed", () => {
  for (const path of ["/ws", "/ws/task", "/ws/data", "/ws/strategy"]) {
    assertEquals(accepted(path), {
      path,
      clientId: undefined,
      codec: json,
      protocol: undefined,
      subscribe: undefined,
      token: undefined,
    });
  }
});

Deno.test("any other path is not found", () => {
  const paths = [
    "/",
    "",
    "*",
    "/ws/",
    "/wss",
    "/WS",
    "/ws/Task",
    "/ws/task/",
    "/ws//task",
    "/ws/task/job1",
    "/ws/tasks",
    "/ws/%74ask",
    "/ws%2Ftask",
    "/ws;task",
    "/api/ws",
    "/constructor",
    "http://",
    "//gateway/ws",
    "/ws/../etc",
    "/etc/../ws",
    "/ws/data/../task",
    "/ws/data/%2e%2e/task",
    "/ws/./task",
    "/ws\\task",
    "/ws\ttask",
    "/ws#task",
    "/?path=/ws",
  ];
  assertEquals(paths.filter((url) => statusOf({ url }) !== 404), []);
  const { path } = accepted("http://gateway.example/ws/task?client_id=a");
  assertEquals(path, "/ws/task"); // the absolute form, as clients of proxies send it
});

Deno.test("a path that does not exist is told before an origin that may not connect", () => {
  const origin = "https://evil.example";
  assertEquals([statusOf({ origin }), statusOf({ origin, url: "/wss" })], [403, 404]);
});

Deno.test("a foreign origin is refused, whatever it resembles", () => {
  const host = "app.example.org:8000";
  const foreign = [
    "null",
    "",
    "http://app.example.org",
    "http://app.example.org:80",
    "http://app.example.org:8000.evil.example",
    "http://app.example.org:8000@evil.example",
    "http://evil.example#app.example.org:8000",
    "http://user@app.example.org:8000",
    "http://APP.EXAMPLE.ORG:8000",
    "http://xapp.example.org:8000",
    "ws://app.example.org:8000",
    "http://app.example.org:8000/",
  ];
  assertEquals(foreign.filter((origin) => statusOf({ origin, host }) !== 403), []);
  assertEquals(
    foreign.filter((origin) => statusOf({ origin, host, allow: ["http://app.example.org"] }) !== 403),
    [
      "http://app.example.org",
    ],
  );
  assertEquals(foreign.filter((origin) => statusOf({ origin, host, allow: "*" }) !== 101), []);
  assertEquals(statusOf({ origin: "http://app.example.org:8000", host }), 101);
  assertEquals(statusOf({ origin: "https://app.example.org:8000", host }), 101);
  assertEquals(statusOf({ origin: undefined, host }), 101);
});

Deno.test("a client_id is taken as it is, and one that breaks its rule is told on the socket", () => {
  const rule = "client_id: must be 1–128 characters of A-Za-z0-9._:-";
  const good = ["a", "abc123", "A.b_c:d-9", "x".repeat(128), "..", "0"];
  for (const id of good) {
    const { clientId, invalid } = accepted(`/ws?client_id=${id}`);
    assertEquals([clientId, invalid], [id, undefined]);
  }
  const bad = [
    "",
    "x".repeat(129),
    "a b",
    "a%20b",
    "a/b",
    "ä",
    "%00",
    "a%0Ab",
    "a+b",
    "%3Cscript%3E",
    "%ff",
    "a,b",
  ];
  for (const id of bad) assertEquals(accepted(`/ws?client_id=${id}`).invalid, rule, id);
  assertEquals(accepted("/ws?client_id=a&client_id=b%20").clientId, "a");
});

Deno.test("of the sub-protocols offered ours is echoed, or none", () => {
  const cases: readonly [offered: string | undefined, protocol: string | undefined][] = [
    [undefined, undefined],
    ["", undefined],
    ["taskwire.v1.json", "taskwire.v1.json"],
    ["other, taskwire.v1.json", "taskwire.v1.json"],
    ["taskwire.v1.json,taskwire.bearer.c2VjcmV0", "taskwire.v1.json"],
    ["  other ,taskwire.v1.json  , more", "taskwire.v1.json"],
    ["taskwire.bearer.c2VjcmV0", undefined],
    ["taskwire.v1.cbor", "taskwire.v1.cbor"],
    ["taskwire.v1.json, taskwire.v1.cbor", "taskwire.v1.json"],
    ["other, taskwire.v1.cbor, taskwire.v1.json", "taskwire.v1.cbor"],
    ["taskwire.v1.jsonp, taskwire.v1, Taskwire.v1.json", undefined],
    ["graphql-transport-ws", undefined],
  ];
  for (const [protocols, protocol] of cases) {
    const handshake = accepted("/ws", { protocols });
    assertEquals([handshake.protocol, handshake.codec], [
      protocol,
      protocol === undefined ? json : protocol === "taskwire.v1.cbor" ? cbor : jsonBatch,
    ]);
  }
});

Deno.test("a token is taken from the header, from the sub-protocols, or from the query; never echoed, and never from two", () => {
  const bearer = "taskwire.bearer.YWJj"; // abc
  const once: readonly (readonly [url: string, more: Asked])[] = [
    ["/ws?token=abc", {}],
    ["/ws", { authorization: "Bearer abc" }],
    ["/ws", { protocols: bearer }],
    ["/ws?token=", { protocols: `taskwire.v1.json, ${bearer}` }],
  ];
  for (const [url, more] of once) {
    const { token, invalid, protocol } = accepted(url, more);
    assertEquals([token, invalid], ["abc", undefined]);
    assert(protocol === undefined || protocol === "taskwire.v1.json");
  }
  const twice: readonly (readonly [url: string, more: Asked])[] = [
    ["/ws?token=abc&token=abc", {}],
    ["/ws?token=abc", { authorization: "Bearer abc" }],
    ["/ws?token=abc", { protocols: bearer }],
    ["/ws", { authorization: "Bearer abc", protocols: bearer }],
  ];
  for (const [url, more] of twice) {
    const { token, invalid } = accepted(url, more);
    assertEquals([token, invalid], [undefined, "token: must be given once"]);
  }
  const { invalid } = accepted("/ws?client_id=a%20b", { authorization: "Basic abc" });
  assertEquals(invalid, "client_id: must be 1–128 characters of A-Za-z0-9._:-");
  assertEquals(
    accepted("/ws", { authorization: "Basic abc" }).invalid,
    "Authorization: must be Bearer and a token",
  );
});

Deno.test("batch=1 asks for batches, and nothing else does", () => {
  const batches = ["batch=1", "client_id=a&batch=1"];
  const none = [
    "batch=0",
    "batch",
    "batch=",
    "batch=true",
    "batch=11",
    "Batch=1",
    "batch=1%20",
    "batch=0&batch=1",
  ];
  assertEquals(
    [...batches, ...none].filter((query) => accepted(`/ws?${query}`).codec === jsonBatch),
    batches,
  );
  const { codec, protocol } = accepted("/ws?batch=1");
  assertEquals([codec, protocol], [jsonBatch, undefined]);
});

Deno.test("topics, since, replay and rate are the data of a subscribe, which its own rules judge", () => {
  const cases: readonly [query: string, subscribe: unknown][] = [
    ["topics=task:progress,task:status", { topics: ["task:progress", "task:status"] }],
    ["topics=task%3Aid%3Ajob1", { topics: ["task:id:job1"] }],
    ["topics=%20task:list%20,,", { topics: ["task:list"] }],
    ["topics=nonsense", { topics: ["nonsense"] }],
    ["topics=", undefined],
    ["topics=,%20,", undefined],
    ["since=e:1&replay=all", undefined],
    ["topics=a&replay=all", { topics: ["a"], replay: "all" }],
    ["topics=a&replay=some", { topics: ["a"], replay: "some" }],
    ["topics=a&replay=", { topics: ["a"], replay: "" }],
    ["topics=a&since=e1:4711", { topics: ["a"], since: { epoch: "e1", seq: 4711 } }],
    ["topics=a&since=e:1:4711", { topics: ["a"], since: { epoch: "e:1", seq: 4711 } }],
    ["topics=a&since=4711", { topics: ["a"], since: { epoch: "", seq: 4711 } }],
    ["topics=a&since=", { topics: ["a"], since: { epoch: "", seq: NaN } }],
    ["topics=a&since=e:", { topics: ["a"], since: { epoch: "e", seq: NaN } }],
    ["topics=a&since=e:-1", { topics: ["a"], since: { epoch: "e", seq: NaN } }],
    ["topics=a&since=e:1e3", { topics: ["a"], since: { epoch: "e", seq: NaN } }],
    ["topics=a&since=e:%201", { topics: ["a"], since: { epoch: "e", seq: NaN } }],
    ["topics=a&since=e:99999999999999999999", { topics: ["a"], since: { epoch: "e", seq: NaN } }],
    ["topics=a&max_rate_hz=2.5", { topics: ["a"], max_rate_hz: 2.5 }],
    ["topics=a&max_rate_hz=", { topics: ["a"], max_rate_hz: NaN }],
    ["topics=a&max_rate_hz=0x10", { topics: ["a"], max_rate_hz: NaN }],
    ["max_rate_hz=2", undefined],
  ];
  for (const [query, subscribe] of cases) {
    assertEquals<unknown>(accepted(`/ws?${query}`).subscribe, subscribe);
  }
});

Deno.test("whatever is sent as a request, it is judged and nothing is thrown", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("/ws?client_id=", "/ws?since=%"),
  );
  const header = fc.option(text, { nil: undefined });
  fc.assert(
    fc.property(text, text, header, header, header, (url, host, origin, protocols, authorization) => {
      const request = { host, origin, authorization, protocols };
      const outcome = judge({ ...request, url: `/ws?${url}` }, "same-host");
      assert("accept" in outcome || outcome.status === 403);
      judge({ ...PLAIN, url, host }, "*");
    }),
  );
});

Deno.test("where nobody is asked for a token, what looks like one, or like a bad one, is no matter", () => {
  const shown: readonly Partial<UpgradeRequest>[] = [
    { authorization: "Basic abc" },
    { authorization: "Bearer abc", url: "/ws?token=abc" },
    { url: "/ws?token=abc&token=abc" },
    { protocols: "taskwire.bearer.=" },
  ];
  for (const request of shown) {
    const outcome = judge({ ...PLAIN, ...request }, "same-host", { asksForToken: false });
    assert("accept" in outcome);
    assertEquals([outcome.accept.token, outcome.accept.invalid], [undefined, undefined]);
    assert(accepted(request.url ?? "/ws", request).token ?? accepted(request.url ?? "/ws", request).invalid);
  }
});
