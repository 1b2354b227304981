import { assert, assertEquals } from "@std/assert";
import { eventually } from "../eventually.ts";
import { TestClient } from "../websocket_client.ts";
import { LiveGateway } from "./live_gateway.ts";
import { RawPeer } from "./raw_peer.ts";

/** Connects one that is turned away: what it is told, and the close. */
async function turnedAway(live: LiveGateway, path: string): Promise<unknown> {
  await using client = await TestClient.connect(live.url(path));
  const { code, reason } = await client.ended();
  const [only, ...more] = client.frames;
  assert(only?.type === "error", "it is told why, and nothing else");
  assertEquals(more, []);
  const { message, ...error } = only.error;
  return { ...error, message, code, reason, error: error.code };
}

const tooMany = (limit: string, max: number, code: number, reason: string): unknown => ({
  code,
  reason,
  error: "LIMIT_EXCEEDED",
  message: `too many connections: ${limit} is ${max}`,
  details: { limit, max },
});

/** Takes the room that one leaves as soon as the server knows that it is gone. */
async function roomFor(live: LiveGateway, path: string): Promise<TestClient> {
  let client = await TestClient.connect(live.url(path));
  await eventually("there is room", async () => {
    const first = await client.find(() => true);
    if (first.type === "welcome") return true;
    await client.ended();
    client = await TestClient.connect(live.url(path));
    return false;
  });
  return client;
}

Deno.test("connections of one client above MAX_CONNECTIONS_PER_CLIENT are told so and closed with 4429", async () => {
  await using live = await LiveGateway.start({ MAX_CONNECTIONS_PER_CLIENT: "2" });
  await using first = await live.connect("/ws?client_id=a");
  await using _second = await live.connect("/ws/task?client_id=a");
  const refusal = tooMany("MAX_CONNECTIONS_PER_CLIENT", 2, 4429, "rate or connection limit");
  assertEquals(await turnedAway(live, "/ws?client_id=a"), refusal);
  assertEquals(await turnedAway(live, "/ws?client_id=a"), refusal);
  await using _other = await live.connect("/ws?client_id=b");
  await using _nameless = await live.connect();
  await using _nameless2 = await live.connect();
  await using _nameless3 = await live.connect();
  await first.close();
  await using again = await roomFor(live, "/ws?client_id=a");
  assertEquals((await again.request("ping")).type, "pong");
  assertEquals(await turnedAway(live, "/ws?client_id=a"), refusal);
});

Deno.test("connections of one address above MAX_CONNECTIONS_PER_ADDRESS are told so and closed with 4429", async () => {
  await using live = await LiveGateway.start({ MAX_CONNECTIONS_PER_ADDRESS: "2" });
  await using first = await live.connect();
  await using _second = await live.connect();
  const refusal = tooMany("MAX_CONNECTIONS_PER_ADDRESS", 2, 4429, "rate or connection limit");
  assertEquals(await turnedAway(live, "/ws?client_id=a"), refusal);
  await first.crash();
  await using _again = await roomFor(live, "/ws");
  assertEquals(await turnedAway(live, "/ws"), refusal);
});

Deno.test("connections above MAX_CONNECTIONS are told so and closed with 1013, and there is room after a close", async () => {
  await using live = await LiveGateway.start({ MAX_CONNECTIONS: "2" });
  await using first = await live.connect();
  await using second = await live.connect();
  const refusal = tooMany("MAX_CONNECTIONS", 2, 1013, "overloaded, try later");
  assertEquals(await turnedAway(live, "/ws"), refusal);
  assertEquals((await second.request("ping")).type, "pong");
  await first.close();
  await using third = await roomFor(live, "/ws");
  assertEquals(await turnedAway(live, "/ws"), refusal);
  await second.crash();
  await using fourth = await roomFor(live, "/ws");
  assertEquals(await turnedAway(live, "/ws"), refusal);
  await Promise.all([third.close(), fourth.crash()]);
  await eventually(
    "all are counted out",
    async () => (await live.telemetry.metrics()).includes('taskwire_connections{state="live"} 0'),
  );
});

Deno.test("who is turned away and stays is let go, and holds up no stop", async () => {
  const live = await LiveGateway.start({ MAX_CONNECTIONS: "1" });
  await using _first = await live.connect();
  using peer = await RawPeer.connect(live.port);
  const { code } = await peer.untilClosed();
  assertEquals(code, 1013);
  const stoppedMs = performance.now();
  await live[Symbol.asyncDispose]();
  const tookMs = performance.now() - stoppedMs;
  assert(tookMs < 2_000, `the stop took ${tookMs} ms`);
  assertEquals(await peer.next(), undefined);
});
