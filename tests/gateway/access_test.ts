import { assert, assertEquals } from "@std/assert";
import { SignJWT } from "jose";
import { eventually } from "../eventually.ts";
import { startNatsServer } from "../nats_server.ts";
import { SseClient } from "../sse_client.ts";
import { TestClient } from "../websocket_client.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";

const SECRET = "a secret of this test, of 32 characters and more";

type Claims = {
  readonly sub?: string;
  readonly rights?: readonly string[];
  readonly topics?: readonly string[];
};

/** A token that is good for some seconds. */
async function jwt(seconds: number, claims: Claims = {}): Promise<string> {
  return await new SignJWT({ rights: ["subscribe"], topics: ["task:*"], ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(claims.sub ?? "ann")
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
    .sign(new TextEncoder().encode(SECRET));
}

const SETTINGS = { AUTH: "jwt", JWT_SECRET: SECRET, JWT_SKEW: "0s", SQLITE_SYNC: "process" };

async function publish(gateway: GatewayProcess, taskId: string, ...events: readonly object[]): Promise<void> {
  const token = await jwt(60, { sub: "worker", rights: ["publish"] });
  const answer = await fetch(`${gateway.url}/api/tasks/${taskId}/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(events),
  });
  await answer.body?.cancel();
  assertEquals(answer.status, 202);
}

Deno.test("tokens that end, and fresh ones", async (t) => {
  await withGateway({ settings: SETTINGS }, async (gateway) => {
    await t.step("a connection is told when its token ends, told that it has, and closed", async () => {
      const token = await jwt(2);
      await using client = await TestClient.connect(`${gateway.wsUrl}/ws?topics=task:status&token=${token}`);
      const { expires_at: expiresAt = 0 } = (await client.next("welcome")).data;
      const closed = await client.ended();
      assertEquals(closed, { code: 4402, reason: "token expired" });
      const lateMs = Date.now() - expiresAt;
      assert(lateMs >= 0 && lateMs < 2_000, `${lateMs} ms after its end`);
      assertEquals(client.of("error").map(({ error }) => [error.code, error.message]), [
        ["UNAUTHORIZED", "the token has expired"],
      ]);
    });

    await t.step("a stream ends as a socket does", async () => {
      await using stream = await SseClient.connect(
        `${gateway.url}/api/stream?topics=task:status&token=${await jwt(2)}`,
      );
      await eventually("the stream is over", () => stream.isOver);
      assertEquals(stream.code, 4402);
    });

    await t.step("a fresh token keeps the connection, and what it holds", async () => {
      await using client = await TestClient.connect(
        `${gateway.wsUrl}/ws?topics=task:status&token=${await jwt(2)}`,
      );
      const first = (await client.next("welcome")).data.expires_at ?? 0;
      const reply = await client.request("auth", { token: await jwt(60) });
      assert(reply.type === "authenticated" && (reply.data.expires_at ?? 0) > first + 50_000);
      await eventually("the first token has ended", () => Date.now() > first + 500);
      await publish(gateway, "kept", { kind: "started" });
      await client.find((frame) => frame.type === "task_status" && frame.data.task_id === "kept");
    });

    await t.step("a token that is no good changes nothing while the first lasts", async () => {
      await using client = await TestClient.connect(`${gateway.wsUrl}/ws?token=${await jwt(60)}`);
      const replies = [
        await client.request("auth", { token: "no token" }),
        await client.request("auth", { token: await jwt(-5) }),
        await client.request("auth", { token: await jwt(60, { sub: "bob" }) }),
      ];
      assertEquals(replies.map((reply) => reply.type === "error" ? reply.error.message : reply.type), [
        "the token is not valid",
        "the token has expired",
        "the token is of another subject",
      ]);
      assertEquals((await client.request("ping")).type, "pong");
    });

    await t.step("a fresh token that is for less loses the topics that it is not for", async () => {
      await using client = await TestClient.connect(
        `${gateway.wsUrl}/ws?topics=task:status,task:tag:red,task:tag:blue&token=${await jwt(60)}`,
      );
      await client.next("caught_up");
      await client.request("auth", { token: await jwt(60, { topics: ["task:tag:red"] }) });
      const { topics } = (await client.next("unsubscribed")).data;
      assertEquals(topics, ["task:status", "task:tag:red"]);
      assertEquals(client.of("error").map(({ error }) => [error.code, error.details]), [
        ["FORBIDDEN", { topics: ["task:tag:blue"] }],
      ]);
      await publish(gateway, "blue", { kind: "created", tags: ["blue"] }, { kind: "started" });
      await publish(gateway, "red", { kind: "created", tags: ["red"] }, { kind: "started" });
      await client.find((frame) => frame.type === "task_status" && frame.data.task_id === "red");
      assert(!client.of("task_status").some(({ data }) => data.task_id === "blue"));
    });

    await t.step("a fresh token without the right to subscribe loses everything", async () => {
      await using client = await TestClient.connect(
        `${gateway.wsUrl}/ws?topics=task:status,task:list&token=${await jwt(60)}`,
      );
      await client.next("caught_up");
      await client.request("auth", { token: await jwt(60, { rights: ["cancel"] }) });
      assertEquals((await client.next("unsubscribed")).data.topics, []);
      const refused = await client.request("get_task", { task_id: "red" });
      assert(refused.type === "error" && refused.error.code === "FORBIDDEN");
    });
  });
});

Deno.test("a ticket opens one connection, whichever gateway it is shown to", async () => {
  await using nats = await startNatsServer();
  const settings = { ...SETTINGS, NATS_URL: nats.url };
  await withGateway({ settings }, async (one) => {
    await withGateway({ settings }, async (other) => {
      const answer = await fetch(`${one.url}/api/tickets`, {
        method: "POST",
        headers: { authorization: `Bearer ${await jwt(60, { topics: ["task:tag:red"] })}` },
      });
      assertEquals(answer.status, 201);
      const { ticket }: { ticket: string } = await answer.json();
      const opened = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const url = `${(i % 2 === 0 ? one : other).wsUrl}/ws?topics=task:status&token=${ticket}`;
          const client = await TestClient.connect(url);
          await client.find(({ type }) => type === "error" || type === "caught_up");
          return client;
        }),
      );
      const served = opened.filter((client) => client.of("welcome").length > 0);
      assertEquals(served.length, 1);
      // With the rights of who asked, and no more.
      const refused = await served[0]?.request("subscribe", { topics: ["task:tag:blue"] });
      assert(refused?.type === "error" && refused.error.code === "FORBIDDEN");
      const turnedAway = opened.filter((client) => !served.includes(client));
      assertEquals(
        new Set(await Promise.all(turnedAway.map(async (c) => (await c.ended()).code))),
        new Set([4401]),
      );
      await Promise.all(opened.map((client) => client.crash()));
    });
  });
});
