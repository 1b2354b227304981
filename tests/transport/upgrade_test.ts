import { assert, assertEquals, assertMatch } from "@std/assert";
import { Gateway } from "../../src/gateway/gateway.ts";
import type { EventLog } from "../../src/log/event_log.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createTelemetry } from "../../src/telemetry/telemetry.ts";
import { eventually } from "../eventually.ts";
import { LiveGateway } from "./live_gateway.ts";
import { RawPeer } from "./raw_peer.ts";

type Headers = Parameters<typeof RawPeer.ask>[2];

/** The problem document that an upgrade is answered with. */
async function problem(port: number, target: string, headers: Headers = []): Promise<unknown> {
  using peer = await RawPeer.ask(port, target, headers);
  assertEquals(peer.header("content-type"), "application/problem+json");
  const text = await peer.rest();
  const { type, title, status, detail } = JSON.parse(text);
  assertEquals([type, status, peer.header("content-length")], ["about:blank", peer.status, `${text.length}`]);
  assert(typeof detail === "string" && detail !== "");
  return { status, title, retryAfter: peer.header("retry-after") };
}

Deno.test("an unknown path is answered 404 instead of an upgrade", async () => {
  await using live = await LiveGateway.start();
  const notFound = { status: 404, title: "Not Found", retryAfter: undefined };
  for (const target of ["/", "/wss", "/ws/nothing", "/ws/", "/ws/data/../task", "/api/tasks", "/healthz"]) {
    assertEquals<unknown>(await problem(live.port, target), notFound, target);
  }
  assertEquals(live.incidents, []);
});

Deno.test("a page of a foreign site is answered 403, one of the same host may connect", async () => {
  await using live = await LiveGateway.start();
  const forbidden = { status: 403, title: "Forbidden", retryAfter: undefined };
  const ours = `http://127.0.0.1:${live.port}`;
  const foreign = [
    "null",
    "http://evil.example",
    `${ours}.evil.example`,
    `http://localhost:${live.port}`,
    `${ours}0`,
  ];
  for (const origin of foreign) {
    assertEquals<unknown>(await problem(live.port, "/ws", [["Origin", origin]]), forbidden, origin);
  }
  const two: Headers = [["Origin", ours], ["Origin", "http://evil.example"]];
  assertEquals<unknown>(await problem(live.port, "/ws", two), forbidden, "two origins");
  await using client = await live.connect("/ws", { origin: ours });
  assertEquals((await client.request("ping")).type, "pong");
});

Deno.test("ALLOWED_ORIGINS is who may connect, and the same host is not among them by itself", async () => {
  await using live = await LiveGateway.start({ ALLOWED_ORIGINS: "https://app.example.org" });
  await using client = await live.connect("/ws", { origin: "https://app.example.org" });
  assertEquals((await client.request("ping")).type, "pong");
  for (
    const origin of [
      `http://127.0.0.1:${live.port}`,
      "http://app.example.org",
      "https://app.example.org.evil",
    ]
  ) {
    using peer = await RawPeer.ask(live.port, "/ws", [["Origin", origin]]);
    assertEquals(peer.status, 403, origin);
  }
});

Deno.test("a handshake that is none is answered over HTTP, and nothing is left of it", async () => {
  await using live = await LiveGateway.start();
  const statusOf = async (lines: readonly string[]): Promise<number> => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: live.port });
    try {
      const request = [...lines, "Host: gateway", "Connection: Upgrade", "", ""].join("\r\n");
      await connection.write(new TextEncoder().encode(request));
      const answer = new Uint8Array(4_096);
      const read = await connection.read(answer) ?? 0;
      return Number(/^HTTP\/1\.1 (\d+)/.exec(new TextDecoder().decode(answer.subarray(0, read)))?.[1]);
    } finally {
      connection.close();
    }
  };
  const key = `Sec-WebSocket-Key: ${btoa("a nonce of 16 by")}`;
  const version = "Sec-WebSocket-Version: 13";
  const websocket = "Upgrade: websocket";
  assertEquals(await statusOf(["GET /ws HTTP/1.1", websocket, version]), 400);
  assertEquals(await statusOf(["GET /ws HTTP/1.1", websocket, version, "Sec-WebSocket-Key: short"]), 400);
  assertEquals(await statusOf(["GET /ws HTTP/1.1", websocket, key, "Sec-WebSocket-Version: 12"]), 400);
  assertEquals(await statusOf(["GET /ws HTTP/1.1", "Upgrade: h2c", key, version]), 404);
  assertEquals(await statusOf(["GET /ws HTTP/1.1", "Upgrade: WebSocket", key, version]), 101);
  assertEquals(await statusOf(["POST /ws HTTP/1.1", websocket, key, version]), 405);
  const protocols = "Sec-WebSocket-Protocol: a,,b";
  assertEquals(await statusOf(["GET /ws HTTP/1.1", websocket, key, version, protocols]), 400);
  assertEquals(live.incidents, []);
});

Deno.test("a request that offers another protocol to upgrade to is answered as if it did not", async () => {
  await using live = await LiveGateway.start();
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: live.port });
  const body = '{"kind":"progress","total":10,"completed":3}';
  const request = [
    "POST /api/tasks/job1/events HTTP/1.1",
    `Host: 127.0.0.1:${live.port}`,
    "Connection: Upgrade, HTTP2-Settings, close",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    "",
    body,
  ];
  await connection.write(new TextEncoder().encode(request.join("\r\n")));
  const answer = await new Response(connection.readable).text();
  assertMatch(answer, /^HTTP\/1\.1 202 [^]*{"results":\[{"seq":1,"duplicate":false}\]}/);
});

Deno.test("who is refused is let go, though it does not hang up itself", async () => {
  await using live = await LiveGateway.start();
  for (const [target, headers] of [["/nothing", []], ["/ws", [["Origin", "http://evil.example"]]]] as const) {
    using peer = await RawPeer.ask(live.port, target, headers);
    await peer.rest(); // the other side has said its last
    const bytes = new TextEncoder().encode("still there?");
    await eventually(
      "the other side is gone",
      async () => await peer.send(bytes).then(() => false, () => true),
    );
  }
});

Deno.test("of the sub-protocols offered ours is echoed, never a token", async () => {
  await using live = await LiveGateway.start();
  const echoed = async (offered: string): Promise<string | undefined> => {
    using peer = await RawPeer.connect(live.port, "/ws", [["Sec-WebSocket-Protocol", offered]]);
    return peer.header("sec-websocket-protocol");
  };
  assertEquals(await echoed("taskwire.v1.json"), "taskwire.v1.json");
  assertEquals(await echoed("taskwire.bearer.c2VjcmV0, taskwire.v1.json"), "taskwire.v1.json");
  assertEquals(await echoed("taskwire.bearer.c2VjcmV0"), undefined);
  assertEquals(await echoed("graphql-ws, mqtt"), undefined);
});

Deno.test("a gateway that cannot reach its log yet answers 503, and when to try again", async () => {
  const read = readSettings({ PORT: "0" });
  assert("settings" in read);
  const log = createLogger({ level: "error", write: () => {} });
  const telemetry = createTelemetry({ log, newId: () => "incident" });
  const opening = Promise.withResolvers<EventLog>();
  const gateway = new Gateway({ settings: read.settings, telemetry, openLog: () => opening.promise });
  try {
    const { port } = await gateway.listen();
    const unready = { status: 503, title: "Service Unavailable", retryAfter: "1" };
    assertEquals<unknown>(await problem(port, "/ws"), unready);
    assertEquals<unknown>(await problem(port, "/ws/task?topics=task:list"), unready);
    using peer = await RawPeer.ask(port, "/ws");
    assertMatch(await peer.rest(), /the log is not in reach yet/);
    assertEquals(await problem(port, "/nothing"), { status: 404, title: "Not Found", retryAfter: undefined });
  } finally {
    opening.reject(new Error("the test is over"));
    await gateway[Symbol.asyncDispose]();
  }
});
