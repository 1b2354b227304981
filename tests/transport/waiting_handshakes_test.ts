import { assertEquals } from "@std/assert";
import { base64url, GOOD, jwkOf, newPairs, signed } from "../access/signed.ts";
import { KeyServer } from "../access/key_server.ts";
import { eventually } from "../eventually.ts";
import { TestClient } from "../websocket_client.ts";
import { LiveGateway } from "./live_gateway.ts";
import { RawPeer } from "./raw_peer.ts";

const PAIRS = await newPairs();
const KEY = await jwkOf(PAIRS.ES256, { kid: "k1" });
const TOKEN = await signed(
  { alg: "ES256", kid: "k1" },
  { ...GOOD, exp: Math.floor(Date.now() / 1_000) + 300 },
  PAIRS.ES256.privateKey,
);

Deno.test("handshakes that wait until their tokens can be judged have their places, and leave them when they go", async () => {
  await using server = await KeyServer.having();
  const answers: (() => void)[] = [];
  server.answer = (response) => answers.push(() => response.end(JSON.stringify({ keys: [KEY] })));
  await using live = await LiveGateway.start({
    AUTH: "jwt",
    JWKS_URL: server.url,
    MAX_CONNECTIONS_PER_ADDRESS: "2",
  });
  const path = `/ws?token=${TOKEN}`;
  const waiting = [0, 1].map(() => Deno.connect({ hostname: "127.0.0.1", port: live.port }));
  const [gone, stays] = await Promise.all(waiting);
  for (const connection of [gone, stays]) {
    await connection?.write(new TextEncoder().encode(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${btoa("a nonce of 16 by")}\r\n\r\n`,
    ));
  }
  await eventually("both wait", () => answers.length === 1);
  using refused = await RawPeer.connect(live.port, path);
  const { code, messages } = await refused.untilClosed();
  const details = { limit: "MAX_CONNECTIONS_PER_ADDRESS", max: 2 };
  assertEquals([code, messages.map((frame) => frame.type === "error" && frame.error.details)], [4429, [
    details,
  ]]);
  gone?.close();
  let third: TestClient | undefined;
  const came = (async () => {
    for (;;) {
      const client = await TestClient.connect(live.url(path));
      if ((await client.find(() => true)).type === "welcome") return client;
      await client.ended();
    }
  })();
  came.then((client) => third = client, () => {});
  answers[0]?.();
  await eventually("there is room", () => third !== undefined);
  await third?.close();
  stays?.close();
});

Deno.test("a token that is no good leaves no place taken", async () => {
  await using live = await LiveGateway.start({
    AUTH: "jwt",
    JWT_SECRET: "a secret that is longer than 32 bytes",
    MAX_CONNECTIONS_PER_ADDRESS: "1",
  });
  for (let i = 0; i < 3; i++) {
    using peer = await RawPeer.connect(live.port, `/ws?token=${base64url("no token")}`);
    assertEquals((await peer.untilClosed()).code, 4401);
  }
});
