import { assert, assertEquals } from "@std/assert";
import { eventually } from "../eventually.ts";
import { base64url, signed } from "../access/signed.ts";
import { TestClient } from "../websocket_client.ts";
import { AttackedGateway } from "./attacked_gateway.ts";
import { newAddress } from "./crowd.ts";
import { utf8 } from "./raw_bytes.ts";
import { exchange, requestOf } from "./raw_http.ts";
import { WAYS } from "./ways_in.ts";

const SECRET = "a secret of this test, of 32 characters and more";
const UNUSABLE = { code: 4401, told: ["UNAUTHORIZED the ticket is not valid, or was used"] };
const NO_STREAM = { status: 401, told: UNUSABLE.told };
const NOT_HERE = { status: 401, told: ["UNAUTHORIZED a ticket opens a connection, and nothing else"] };

async function tokenOf(sub: string, { seconds = 3_600, rights = ["subscribe"] } = {}): Promise<string> {
  const exp = Math.floor(Date.now() / 1_000) + seconds;
  return await signed({ alg: "HS256" }, { sub, exp, rights, topics: ["task:*"] }, utf8(SECRET));
}

const operator = await tokenOf("operator", { rights: ["admin"] });

const target = AttackedGateway.forAllTests({
  settings: { AUTH: "jwt", JWT_SECRET: SECRET, JWT_SKEW: "0s", TRUSTED_PROXIES: "127.0.0.1" },
  headers: { Authorization: `Bearer ${operator}` },
});

async function askTicket(token: string, address: string): Promise<{ status: number; body: string }> {
  const asked = requestOf("POST /api/tickets HTTP/1.1", {
    "Content-Length": "0",
    "X-Forwarded-For": address,
    Authorization: `Bearer ${token}`,
  });
  const answer = await exchange(target.port, asked);
  if (answer === undefined) throw new Error("It was not answered");
  return answer;
}

/** A ticket of a subject that has no other out. */
async function newTicket(address = newAddress()): Promise<string> {
  const { status, body } = await askTicket(await tokenOf(`of ${address}`), address);
  assertEquals(status, 201);
  const { ticket }: { ticket: string } = JSON.parse(body);
  return ticket;
}

/** The ways in which a ticket opens something. */
const OPEN = Object.entries(WAYS).filter(([name]) => name !== "HTTP");

Deno.test("a ticket opens one connection, in whatever way it is shown, and nothing in any way after it", async (t) => {
  await target.withstands(async () => {
    for (const [name, way] of OPEN) {
      await t.step(`first shown by ${name}`, async () => {
        const ticket = await newTicket();
        assertEquals(await way(target.port, ticket), "let in");
        for (const [other, again] of OPEN) {
          assertEquals(await again(target.port, ticket), other.startsWith("stream") ? NO_STREAM : UNUSABLE);
        }
      });
    }
    return { 'taskwire_errors_total{code="UNAUTHORIZED"}': 4 * OPEN.length };
  });
});

Deno.test("a ticket shown twenty times at once, in every way, opens one of them", async () => {
  await target.withstands(async () => {
    const ticket = await newTicket();
    const came = await Promise.all(Array.from({ length: 20 }, (_, i) => {
      const [, way] = OPEN[i % OPEN.length] ?? [];
      return way?.(target.port, ticket);
    }));
    assertEquals(came.filter((one) => one === "let in").length, 1);
  });
});

Deno.test("a ticket is not for the HTTP API, which does not use it up", async () => {
  await target.withstands(async () => {
    const ticket = await newTicket();
    for (
      const line of ["GET /api/tasks", "POST /api/tasks/a/events", "POST /api/tickets", "HEAD /api/stream"]
    ) {
      const answer = await exchange(
        target.port,
        requestOf(`${line} HTTP/1.1`, { "Content-Length": "0", Authorization: `Bearer ${ticket}` }),
      );
      assertEquals(answer?.status, 401, line);
    }
    assertEquals(await WAYS["HTTP"]?.(target.port, ticket), NOT_HERE);
    assertEquals(await WAYS["?token="]?.(target.port, ticket), "let in");
  });
});

Deno.test("a ticket is bound to nobody's address: who asked may come by another proxy than its page", async () => {
  await target.withstands(async () => {
    const ticket = await newTicket("10.2.0.1");
    const elsewhere = { "X-Forwarded-For": "10.2.0.2" };
    assertEquals(await WAYS["?token="]?.(target.port, ticket, elsewhere), "let in");
    assertEquals(await WAYS["?token="]?.(target.port, ticket), UNUSABLE);
  });
});

Deno.test("a ticket is of the subject that asked: no token of another refreshes what it opened", async () => {
  await target.withstands(async () => {
    const ticket = await newTicket("10.3.0.1");
    await using client = await TestClient.connect(`${target.process.wsUrl}/ws?token=${ticket}`);
    await client.next("welcome");
    const refused = await client.request("auth", { token: await tokenOf("of 10.3.0.2") });
    assert(refused.type === "error");
    assertEquals(refused.error.message, "the token is of another subject");
    assertEquals(
      (await client.request("auth", { token: await tokenOf("of 10.3.0.1") })).type,
      "authenticated",
    );
    // Nor does a ticket of another's.
    const other = await client.request("auth", { token: await newTicket("10.3.0.3") });
    assert(other.type === "error" && other.error.code === "UNAUTHORIZED");
  });
});

Deno.test("a ticket is over with the token that it was made of, and so is what it opened", async () => {
  await target.withstands(async () => {
    const token = await tokenOf("short", { seconds: 2 });
    const tickets = await Promise.all([1, 2].map(async () => {
      const { ticket, expires_at }: { ticket: string; expires_at: number } = JSON.parse(
        (await askTicket(token, newAddress())).body,
      );
      assert(expires_at <= Date.now() + 2_000);
      return { ticket, expires_at };
    }));
    const [first, second] = tickets;
    assert(first !== undefined && second !== undefined);
    await using client = await TestClient.connect(`${target.process.wsUrl}/ws?token=${first.ticket}`);
    assertEquals((await client.ended()).code, 4402);
    await eventually("the token has ended", () => Date.now() > second.expires_at);
    assertEquals(await WAYS["?token="]?.(target.port, second.ticket), UNUSABLE);
    return { 'taskwire_connections_closed_total{code="4402"}': 1 };
  });
});

Deno.test("a subject has a hundred tickets out: one more is 429, and another subject has its own", async () => {
  const [token, address] = [await tokenOf("greedy"), newAddress()];
  const tickets: string[] = [];
  await target.withstands(async () => {
    for (let left = 100 - tickets.length; left > 0; left--) {
      const { status, body } = await askTicket(token, address);
      assertEquals(status, 201);
      tickets.push(JSON.parse(body).ticket);
    }
    for (let i = 0; i < 50; i++) {
      const { status, body } = await askTicket(token, address);
      const problem: { code: string; detail: string } = JSON.parse(body);
      assertEquals([status, problem.code, problem.detail], [429, "RATE_LIMITED", "too many tickets are out"]);
    }
    await newTicket();
    // One that is used makes room for one.
    assertEquals(await WAYS["?token="]?.(target.port, tickets.pop() ?? ""), "let in");
    const { status, body } = await askTicket(token, address);
    assertEquals(status, 201);
    tickets.push(JSON.parse(body).ticket);
    assertEquals((await askTicket(token, address)).status, 429);
    return { 'taskwire_http_requests_total{method="POST",route="/api/tickets",status="4xx"}': 51 };
  });
});

Deno.test("what only looks like a ticket opens nothing, in whatever way it is shown", async () => {
  await target.withstands(async () => {
    const ticket = await newTicket();
    const issuer = ticket.slice(4, 15);
    const forged = [
      ticket.slice(0, -1),
      `${ticket}A`,
      ticket.slice(0, -1) + (ticket.endsWith("A") ? "B" : "A"),
      ticket.toLowerCase(),
      `twt_${issuer}${"A".repeat(43)}`,
      `twt_${"A".repeat(11)}${ticket.slice(15)}`,
      "twt_",
      "twt_..",
      `twt_${"x".repeat(4_000)}`,
      `TWT_${ticket.slice(4)}`,
      base64url(ticket),
    ];
    for (const token of forged) {
      for (const [name, way] of Object.entries(WAYS)) {
        const came = await way(target.port, token);
        assert(came !== "let in", `${name}: ${token}`);
        if ("code" in came) assertEquals(came.code, 4401);
        else assertEquals(came.status, 401);
      }
    }
    // Who issued it is part of a subject that is asked.
    for (const issuer of ["*", ">", "*.>", "a.b", "$SYS", "\0", "x ".repeat(6)]) {
      assertEquals(await WAYS["?token="]?.(target.port, `twt_${issuer}${ticket.slice(15)}`), UNUSABLE);
      assertEquals(
        await WAYS["?token="]?.(target.port, `twt_${issuer.padEnd(11, ".")}${ticket.slice(15)}`),
        UNUSABLE,
      );
    }
    assertEquals(await WAYS["?token="]?.(target.port, ticket), "let in");
    return { 'taskwire_errors_total{code="UNAUTHORIZED"}': 14 + 4 * forged.length };
  });
});
