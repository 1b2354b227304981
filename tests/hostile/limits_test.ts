import { assert, assertEquals } from "@std/assert";
import { frame, RawPeer } from "../transport/raw_peer.ts";
import { TestClient } from "../websocket_client.ts";
import { AttackedGateway } from "./attacked_gateway.ts";
import { bearer, crowdOf, newAddress } from "./crowd.ts";
import { repeated } from "./raw_bytes.ts";
import { exchange, requestOf, upgradeOf } from "./raw_http.ts";

const TOKENS = {
  operator: "operator-token-0123456789",
  crowd: "crowd-token-0123456789abc",
  other: "other-token-0123456789abc",
};
const OF_ADDRESS = 100;
const OF_SUBJECT = 150;
const OF_CLIENT = 16;
const HANDSHAKES = 1_100;
/** Beside it the bystander's five. */
const IN_ALL = 275;
const REQUESTS = 400;

/** Each of these tests is of addresses of its own, of which a proxy tells. */
const target = AttackedGateway.forAllTests({
  settings: {
    AUTH: "token",
    AUTH_TOKENS: [
      `operator:${TOKENS.operator}:admin`,
      `crowd:${TOKENS.crowd}:subscribe`,
      `other:${TOKENS.other}:subscribe`,
    ].join(","),
    AUTH_TIMEOUT: "1s",
    TRUSTED_PROXIES: "127.0.0.1",
    MAX_CONNECTIONS: String(IN_ALL),
    MAX_CONNECTIONS_PER_ADDRESS: String(OF_ADDRESS),
    MAX_CONNECTIONS_PER_SUBJECT: String(OF_SUBJECT),
    HANDSHAKES_PER_SECOND: "50",
    HANDSHAKES_BURST: String(HANDSHAKES),
    REQUESTS_PER_SECOND: "100",
    REQUESTS_BURST: String(REQUESTS),
  },
  headers: { Authorization: `Bearer ${TOKENS.operator}`, "X-Forwarded-For": "10.9.9.9" },
  // A thousand connections leave 28 MB of garbage, and V8 lets some 90 MB lie there.
  async warmUp() {
    for (let i = 0; i < 4; i++) {
      await target.emptied();
      const headers = [["X-Forwarded-For", newAddress()], bearer(TOKENS.crowd)] as const;
      using crowd = await crowdOf(target.port, 1_000, () => headers);
      assertEquals(crowd.peers.length, OF_ADDRESS);
    }
  },
});

Deno.test("1,000 connections from one address: those beyond its limit are told so and closed with 4429", async () => {
  await target.withstands(async () => {
    const address = newAddress();
    using crowd = await crowdOf(
      target.port,
      1_000,
      () => [["X-Forwarded-For", address], bearer(TOKENS.crowd)],
    );
    assertEquals(crowd.peers.length, OF_ADDRESS);
    assertEquals(
      new Set(crowd.turnedAway.map((told) => JSON.stringify(told))),
      new Set([
        JSON.stringify(["LIMIT_EXCEEDED", "MAX_CONNECTIONS_PER_ADDRESS", OF_ADDRESS, 4429]),
      ]),
    );
    return {
      'taskwire_refused_total{limit="MAX_CONNECTIONS_PER_ADDRESS"}': 1_000 - OF_ADDRESS,
      'taskwire_errors_total{code="LIMIT_EXCEEDED"}': 1_000 - OF_ADDRESS,
    };
  });
});

Deno.test("200 connections of one token from as many addresses: those beyond its subject's limit are closed with 4429", async () => {
  await target.withstands(async () => {
    using crowd = await crowdOf(
      target.port,
      200,
      () => [["X-Forwarded-For", newAddress()], bearer(TOKENS.crowd)],
    );
    assertEquals(crowd.peers.length, OF_SUBJECT);
    assertEquals(crowd.turnedAway[0], ["LIMIT_EXCEEDED", "MAX_CONNECTIONS_PER_SUBJECT", OF_SUBJECT, 4429]);
    return { 'taskwire_refused_total{limit="MAX_CONNECTIONS_PER_SUBJECT"}': 200 - OF_SUBJECT };
  });
});

Deno.test("20 connections under one client_id use up its places, and nobody else's of that name", async () => {
  await target.withstands(async () => {
    const path = "/ws?client_id=dashboard";
    using crowd = await crowdOf(
      target.port,
      20,
      () => [["X-Forwarded-For", newAddress()], bearer(TOKENS.crowd)],
      path,
    );
    assertEquals(crowd.peers.length, OF_CLIENT);
    assertEquals(crowd.turnedAway[0], ["LIMIT_EXCEEDED", "MAX_CONNECTIONS_PER_CLIENT", OF_CLIENT, 4429]);
    using other = await crowdOf(
      target.port,
      1,
      () => [["X-Forwarded-For", newAddress()], bearer(TOKENS.other)],
      path,
    );
    assertEquals(other.peers.length, 1);
    return { 'taskwire_refused_total{limit="MAX_CONNECTIONS_PER_CLIENT"}': 4 };
  });
});

Deno.test("3,000 handshakes of one address at once are answered 429 with Retry-After beyond its burst, and others' are not", async () => {
  await target.withstands(async () => {
    const address = newAddress();
    const asked = upgradeOf("/ws/nowhere", { "X-Forwarded-For": address });
    const statuses = new Map<number | undefined, number>();
    let retryAfter: string | undefined;
    for (let start = 0; start < 3_000; start += 100) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => exchange(target.port, asked)));
      for (const answer of answers) {
        statuses.set(answer?.status, (statuses.get(answer?.status) ?? 0) + 1);
        if (answer?.status === 429) retryAfter = answer.headers.get("retry-after");
      }
    }
    const refused = statuses.get(429) ?? 0;
    assertEquals([...statuses.keys()].sort(), [404, 429]);
    // While they came, a few more were allowed.
    assert(refused > 1_000 && refused <= 3_000 - HANDSHAKES, `${refused} were refused`);
    assertEquals(retryAfter, "1");
    using other = await crowdOf(
      target.port,
      1,
      () => [["X-Forwarded-For", newAddress()], bearer(TOKENS.other)],
    );
    assertEquals(other.peers.length, 1);
    return { 'taskwire_refused_total{limit="HANDSHAKES_PER_SECOND"}': refused };
  });
});

Deno.test("100 connections that never show a token are told so after AUTH_TIMEOUT, and closed with 4401", async () => {
  await target.withstands(async () => {
    const address = newAddress();
    const ends = await Promise.all(Array.from({ length: 100 }, async () => {
      using peer = await RawPeer.connect(target.port, "/ws?topics=task:list", [["X-Forwarded-For", address]]);
      const { code, messages } = await peer.untilClosed();
      await peer.end();
      return JSON.stringify([code, messages.map((message) => message.type === "error" && message.error)]);
    }));
    assertEquals([...new Set(ends)], [
      JSON.stringify([4401, [{ code: "UNAUTHORIZED", message: "no token was shown in time", details: {} }]]),
    ]);
    return {
      'taskwire_connections_closed_total{code="4401"}': 100,
      'taskwire_errors_total{code="UNAUTHORIZED"}': 100,
    };
  });
});

Deno.test("who shows no token and asks all the same is told UNAUTHORIZED, and closed with the tenth: 4400", async () => {
  await target.withstands(async () => {
    using peer = await RawPeer.connect(target.port, "/ws", [["X-Forwarded-For", newAddress()]]);
    const closed = peer.untilClosed();
    await peer.send(repeated(frame('{"type":"get_tasks","id":"x"}'), 5_000)).catch(() => {});
    const { code, messages } = await closed;
    await peer.end();
    const codes = messages.map((message) => message.type === "error" && message.error.code);
    assertEquals([code, codes], [4400, new Array(10).fill("UNAUTHORIZED")]);
    return { 'taskwire_connections_closed_total{code="4400"}': 1 };
  });
});

Deno.test("who shows a wrong token by auth is closed with 4401 at the first, and nothing of what follows is looked at", async () => {
  await target.withstands(async () => {
    using peer = await RawPeer.connect(target.port, "/ws", [["X-Forwarded-For", newAddress()]]);
    const closed = peer.untilClosed();
    await peer.send(
      repeated(frame('{"type":"auth","id":"x","data":{"token":"guessed-guessed-guessed"}}'), 1_000),
    );
    const { code, messages } = await closed;
    await peer.end();
    assertEquals([code, messages.length], [4401, 1]);
    return { 'taskwire_connections_closed_total{code="4401"}': 1 };
  });
});

/** Asks over HTTP, fifty at a time; how often each status was the answer. */
async function statusesOf(
  times: number,
  headersOf: (i: number) => Record<string, string>,
): Promise<Statuses> {
  const statuses: Record<string, number> = {};
  for (let start = 0; start < times; start += 50) {
    const answers = await Promise.all(
      Array.from(
        { length: 50 },
        (_, i) => exchange(target.port, requestOf("GET /api/tasks/nobody HTTP/1.1", headersOf(start + i))),
      ),
    );
    for (const answer of answers) {
      const status = String(answer?.status);
      statuses[status] = (statuses[status] ?? 0) + 1;
      assertEquals(answer?.headers.has("retry-after"), status === "429");
    }
  }
  return statuses;
}

type Statuses = Readonly<Record<string, number>>;

Deno.test("1,000 guesses of a token over HTTP are 401 a few times and 429 from then on, and cost nobody else anything", async () => {
  await target.withstands(async () => {
    const address = newAddress();
    const { 401: wrong = 0, 429: tooMany = 0, ...others } = await statusesOf(1_000, (i) => ({
      "X-Forwarded-For": address,
      Authorization: `Bearer guess-${i}-0123456789`,
    }));
    assertEquals(others, {});
    assert(wrong > 0 && tooMany > 500, `${wrong} were looked at, ${tooMany} held back`);
    const other = await statusesOf(50, () => ({
      "X-Forwarded-For": newAddress(),
      Authorization: `Bearer ${TOKENS.other}`,
    }));
    assertEquals(other, { 404: 50 });
    return { 'taskwire_refused_total{limit="REQUESTS_PER_SECOND"}': tooMany };
  });
});

Deno.test("1,000 requests of one token from as many addresses are 429 beyond its burst, and another token's are not", async () => {
  await target.withstands(async () => {
    const { 404: answered = 0, 429: tooMany = 0, ...others } = await statusesOf(1_000, () => ({
      "X-Forwarded-For": newAddress(),
      Authorization: `Bearer ${TOKENS.crowd}`,
    }));
    assertEquals(others, {});
    assert(answered > 0 && tooMany > 0, `${answered} were answered, ${tooMany} held back`);
    const other = await statusesOf(50, () => ({
      "X-Forwarded-For": newAddress(),
      Authorization: `Bearer ${TOKENS.other}`,
    }));
    assertEquals(other, { 404: 50 });
    return { 'taskwire_refused_total{limit="REQUESTS_PER_SECOND"}': tooMany };
  });
});

Deno.test("connections in all: one too many is told MAX_CONNECTIONS and closed with 1013, whoever it is", async () => {
  await target.withstands(async () => {
    using crowd = await crowdOf(target.port, 296, (i) => [
      ["X-Forwarded-For", newAddress()],
      bearer(i % 2 === 0 ? TOKENS.crowd : TOKENS.other),
    ]);
    assertEquals(crowd.peers.length, IN_ALL - 5);
    assertEquals(
      new Set(crowd.turnedAway.map((told) => JSON.stringify(told))),
      new Set([JSON.stringify(["LIMIT_EXCEEDED", "MAX_CONNECTIONS", IN_ALL, 1013])]),
    );
    return { 'taskwire_refused_total{limit="MAX_CONNECTIONS"}': 296 - (IN_ALL - 5) };
  });
});

/** What costs how many messages, of a hundred that may come at once. */
const COSTS: Readonly<Record<string, { readonly frame: object; readonly cost: number }>> = {
  "ping": { frame: { type: "ping" }, cost: 1 },
  "get_task": { frame: { type: "get_task", data: { task_id: "a" } }, cost: 1 },
  "get_tasks of 100": { frame: { type: "get_tasks", data: { limit: 100 } }, cost: 5 },
  "get_tasks of 1,000": { frame: { type: "get_tasks", data: { limit: 1_000 } }, cost: 50 },
  "get_history of 1,000": { frame: { type: "get_history", data: { task_id: "a", limit: 1_000 } }, cost: 50 },
  "auth": { frame: { type: "auth", data: { token: TOKENS.crowd } }, cost: 10 },
};

for (const [name, { frame: asked, cost }] of Object.entries(COSTS)) {
  Deno.test(`a burst of ${name} is answered as often as its cost of ${cost} lets, and RATE_LIMITED beyond`, async () => {
    await target.withstands(async () => {
      await using client = await TestClient.connect(`${target.process.wsUrl}/ws`, {
        headers: { "X-Forwarded-For": newAddress(), Authorization: `Bearer ${TOKENS.crowd}` },
      });
      await client.next("welcome");
      const sentMs = performance.now();
      for (let i = 0; i < 200; i++) client.send({ id: `q${i}`, ...asked });
      await client.until((frames) => frames.length === 201, "an answer to each");
      const most = (100 + 50 * (performance.now() - sentMs) / 1_000) / cost;
      const refused = client.of("error").filter(({ error }) => error.code === "RATE_LIMITED");
      const answered = 200 - refused.length;
      assert(answered >= 100 / cost && answered <= most + 1, `${answered} were answered, of ${most}`);
      assert(refused.every(({ error }) => Number(error.details["retry_after_ms"]) > 0));
      return {
        'taskwire_refused_total{limit="MESSAGES_PER_SECOND"}': refused.length,
        'taskwire_errors_total{code="RATE_LIMITED"}': refused.length,
      };
    });
  });
}

Deno.test("topics beyond MAX_TOPICS are told LIMIT_EXCEEDED, and none of that request is held", async () => {
  await target.withstands(async () => {
    await using client = await TestClient.connect(`${target.process.wsUrl}/ws`, {
      headers: { "X-Forwarded-For": newAddress(), Authorization: `Bearer ${TOKENS.crowd}` },
    });
    const topics = Array.from({ length: 257 }, (_, i) => `task:id:t${i}`);
    const refused = await client.request("subscribe", { topics });
    assert(refused.type === "error");
    assertEquals([refused.error.code, refused.error.details], ["LIMIT_EXCEEDED", {
      limit: "MAX_TOPICS",
      max: 256,
    }]);
    const taken = await client.request("subscribe", { topics: topics.slice(0, 256) });
    assert(taken.type === "subscribed" && taken.data.topics.length === 256);
    return { 'taskwire_refused_total{limit="MAX_TOPICS"}': 1 };
  });
});

Deno.test("messages that nest as deep as they are long are answered as any, and a connection goes on", async () => {
  await target.withstands(async () => {
    await using client = await TestClient.connect(`${target.process.wsUrl}/ws`, {
      headers: { "X-Forwarded-For": newAddress(), Authorization: `Bearer ${TOKENS.crowd}` },
    });
    const deep = (open: string, close: string) =>
      open.repeat(30_000 / open.length) + "1" + close.repeat(30_000 / open.length);
    for (const [open, close] of [["[", "]"], ['{"a":', "}"]] as const) {
      client.send(deep(open, close));
      assertEquals((await client.next("error")).error.code, "INVALID_MESSAGE");
      client.send(`{"type":"ping","id":"deep ${open[0]}","data":{"more":${deep(open, close)}}}`);
      await client.find((frame) => frame.id === `deep ${open[0]}`);
    }
    return { 'taskwire_errors_total{code="INVALID_MESSAGE"}': 2 };
  });
});

Deno.test("behind a trusted proxy the address that it tells of counts, whatever a client forged before it", async () => {
  await target.withstands(async () => {
    const address = newAddress();
    using crowd = await crowdOf(target.port, OF_ADDRESS + 5, (i) => [
      ["X-Forwarded-For", `192.0.2.${i}, 127.0.0.1, ${address}`],
      bearer(TOKENS.crowd),
    ]);
    assertEquals([crowd.peers.length, crowd.turnedAway.length], [OF_ADDRESS, 5]);
  });
});

Deno.test("of several X-Forwarded-For it is the last that the trusted proxy wrote", async () => {
  await target.withstands(async () => {
    const address = newAddress();
    using crowd = await crowdOf(target.port, OF_ADDRESS + 5, (i) => [
      ["X-Forwarded-For", `198.51.100.${i}`],
      ["X-Forwarded-For", address],
      bearer(TOKENS.crowd),
    ]);
    assertEquals([crowd.peers.length, crowd.turnedAway.length], [OF_ADDRESS, 5]);
  });
});

Deno.test("a proxy that tells of no address counts as one itself", async () => {
  await target.withstands(async () => {
    using crowd = await crowdOf(target.port, OF_ADDRESS + 5, (i) => [
      ["X-Forwarded-For", ["unknown", "", "10.1.1.1:", "[::1", "__proto__", "999.1.1.1"][i % 6] ?? ""],
      bearer(TOKENS.crowd),
    ]);
    assertEquals([crowd.peers.length, crowd.turnedAway.length], [OF_ADDRESS, 5]);
  });
});
