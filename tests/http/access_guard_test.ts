import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Hono } from "hono";
import { type Access, EVERYBODY, type Right } from "../../src/access/access.ts";
import { AccessError, type Authenticator } from "../../src/access/authenticator.ts";
import { Gate } from "../../src/access/gate.ts";
import { Scope } from "../../src/access/scope.ts";
import { accessGuard } from "../../src/http/access_guard.ts";
import type { Asking } from "../../src/http/asking.ts";
import { operatorGuard } from "../../src/http/operator_guard.ts";
import { RateLimits } from "../../src/transport/rate_limits.ts";
import { taskNamed } from "../sample_task.ts";
import { FakeGateway } from "./fake_gateway.ts";

function having(subject: string, ...rights: readonly Right[]): Access {
  return { subject, rights: new Set(rights), scope: Scope.of(["*"]) };
}

const READER = having("reader", "subscribe", "cancel");
const WORKER = having("worker", "publish");
const ADMIN = having("admin", "admin");

/** Tokens as they are called, and as somebody may be in trouble with them. */
class Tokens implements Authenticator {
  readonly asked: string[] = [];
  /** Whether all of them have. */
  hasEnded = false;

  authenticate(token: string): Promise<Access> {
    this.asked.push(token);
    if (this.hasEnded) return Promise.reject(new AccessError("expired", "the token has expired"));
    switch (token) {
      case "reader":
        return Promise.resolve(READER);
      case "worker":
        return Promise.resolve(WORKER);
      case "admin":
        return Promise.resolve(ADMIN);
      case "old":
        return Promise.reject(new AccessError("expired", "the token has expired"));
      case "away":
        return Promise.reject(new AccessError("unavailable", "tokens cannot be judged at present"));
      case "broken":
        return Promise.reject(new TypeError("hunter2 is undefined"));
      default:
        return Promise.reject(new AccessError("invalid", "the token is not valid"));
    }
  }
}

type Options = { readonly tokens?: Tokens | undefined; readonly perSecond?: number; readonly burst?: number };

/** An app behind the guard, by a clock that the test moves. */
class Guarded {
  nowMs = 0;
  readonly tokens: Tokens | undefined;
  readonly gateway = new FakeGateway();
  readonly gate: Gate;
  refused = 0;
  readonly #app: Hono<Asking>;

  constructor(options: Options = {}) {
    const { perSecond = 1_000, burst = 2_000 } = options;
    this.tokens = "tokens" in options ? options.tokens : new Tokens();
    this.gate = new Gate(this.tokens, { now: () => this.nowMs });
    const limits = (): RateLimits => new RateLimits({ perSecond, burst }, () => this.nowMs);
    const guard = accessGuard({
      gate: this.gate,
      requests: limits(),
      guesses: limits(),
      addressOf: ({ socket }) => socket.remoteAddress ?? "",
      refused: () => this.refused++,
    });
    this.gateway.tasks.set("a", taskNamed("a"));
    this.#app = this.gateway.app({
      guards: [guard],
      metricsGuards: [guard, operatorGuard()],
      issueTicket: (access) => this.gate.issue(access),
    });
  }

  /** Asks with a token as the header, from some address. */
  async ask(
    path: string,
    { token, from = "192.0.2.1", authorization, ...init }: RequestInit & {
      readonly token?: string;
      readonly from?: string;
      readonly authorization?: string;
    } = {},
  ) {
    const header = authorization ?? (token === undefined ? undefined : `Bearer ${token}`);
    const headers = {
      "content-type": "application/json",
      ...(header === undefined ? {} : { authorization: header }),
    };
    const node = { incoming: { socket: { remoteAddress: from } }, outgoing: {} };
    const response = await this.#app.request(path, { ...init, headers }, node);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text };
  }

  /** The statuses of so many requests one after the other. */
  async statuses(times: number, ...asked: Parameters<Guarded["ask"]>): Promise<number[]> {
    const statuses: number[] = [];
    for (let i = 0; i < times; i++) statuses.push((await this.ask(...asked)).status);
    return statuses;
  }
}

const EVENT = { method: "POST", body: '{"kind":"started"}' };

Deno.test("where nobody is asked everybody may ask, with any token or none", async () => {
  const guarded = new Guarded({ tokens: undefined });
  for (const token of [undefined, "nonsense", "twt_nonsense"]) {
    const { status } = await guarded.ask("/api/tasks/a", token === undefined ? {} : { token });
    assertEquals(status, 200);
  }
  assertEquals((await guarded.ask("/api/tasks", { authorization: "Basic x" })).status, 200);
  assertEquals(new Set(guarded.gateway.askedBy), new Set([EVERYBODY]));
});

Deno.test("who shows a token is known by it to every route", async () => {
  const guarded = new Guarded();
  const paths = ["/api/tasks/a", "/api/tasks", "/api/tasks/a/events", "/api/stream?topics=task:list"];
  for (const path of paths) assertEquals((await guarded.ask(path, { token: "reader" })).status, 200, path);
  assertEquals((await guarded.ask("/api/tasks/a/cancel", { token: "reader", method: "POST" })).status, 202);
  assertEquals(guarded.gateway.askedBy, [READER, READER, READER, READER, READER]);
  assertEquals((await guarded.ask("/api/tasks/a/events", { ...EVENT, token: "worker" })).status, 202);
  assertEquals((await guarded.ask("/api/tasks/a/events", { ...EVENT, token: "reader" })).status, 403);
  assertEquals(guarded.gateway.appended.length, 1);
  const tickets = await guarded.ask("/api/tickets", { token: "worker", method: "POST" });
  assertEquals([tickets.status, await guarded.gate.authenticate(JSON.parse(tickets.text).ticket)], [
    201,
    WORKER,
  ]);
});

Deno.test("without a token nothing below /api is answered, whether it is there or not", async () => {
  const guarded = new Guarded();
  const { status, headers, text } = await guarded.ask("/api/tasks/a");
  assertEquals([status, headers.get("content-type"), headers.get("www-authenticate")], [
    401,
    "application/problem+json",
    "Bearer",
  ]);
  assertEquals(JSON.parse(text), {
    type: "about:blank",
    title: "Unauthorized",
    status: 401,
    detail: "a token is needed: Authorization: Bearer",
    code: "UNAUTHORIZED",
    details: {},
  });
  const others = [
    "/api/tasks",
    "/api/tasks/nope",
    "/api/tasks/a/events",
    "/api/tasks?limit=0",
    "/api/rejected",
    "/api/channels",
    "/api/stream?topics=task:list",
    "/api/nope",
    "/metrics",
  ];
  for (const path of others) assertEquals((await guarded.ask(path)).status, 401, path);
  for (const path of ["/api/tasks/a/events", "/api/tasks/a/cancel", "/api/tickets"]) {
    assertEquals((await guarded.ask(path, EVENT)).status, 401, path);
  }
  for (const path of ["/healthz", "/readyz"]) assertEquals((await guarded.ask(path)).status, 200);
  assertEquals([guarded.gateway.asked, guarded.gateway.appended, guarded.tokens?.asked], [[], [], []]);
});

Deno.test("why a token opens nothing is told as it is on a socket, and whether to come again", async () => {
  const cases: readonly (readonly [string, number, string, string, string | null])[] = [
    ["nonsense", 401, "UNAUTHORIZED", "the token is not valid", null],
    ["old", 401, "UNAUTHORIZED", "the token has expired", null],
    ["away", 503, "SERVER_ERROR", "tokens cannot be judged at present", "1"],
  ];
  for (const [token, ...expected] of cases) {
    const guarded = new Guarded();
    const { status, headers, text } = await guarded.ask("/api/tasks", { token });
    const { code, detail } = JSON.parse(text);
    assertEquals([status, code, detail, headers.get("retry-after")], expected);
    assertEquals([guarded.gateway.asked, guarded.gateway.lines], [[], []]);
  }
});

Deno.test("a fault of ours while a token is judged is an incident, which tells nobody why", async () => {
  const guarded = new Guarded();
  const { status, text } = await guarded.ask("/api/tasks", { token: "broken" });
  assertEquals([status, JSON.parse(text).details], [500, { incident: "incident_1" }]);
  assert(!text.includes("hunter2"));
  assertStringIncludes(guarded.gateway.lines.join(), "hunter2 is undefined");
});

Deno.test("what carries a token in no way, or in several, breaks a rule", async () => {
  const guarded = new Guarded();
  const wrong = [
    ["/api/tasks", "Basic cmVhZGVy"],
    ["/api/tasks", "reader"],
    ["/api/tasks", "Bearer reader reader"],
    ["/api/stream?topics=task:list&token=reader", "Bearer reader"],
    ["/api/stream?topics=task:list&token=reader&token=admin", undefined],
  ] as const;
  for (const [path, authorization] of wrong) {
    const { status, text } = await guarded.ask(path, authorization === undefined ? {} : { authorization });
    assertEquals([status, JSON.parse(text).code], [400, "INVALID_MESSAGE"], `${path} ${authorization}`);
  }
  assertEquals([guarded.gateway.asked, guarded.tokens?.asked], [[], []]);
});

Deno.test("a token in a URL opens a stream, which can be asked for in no other way, and nothing else", async () => {
  const guarded = new Guarded();
  assertEquals((await guarded.ask("/api/stream?topics=task:list&token=reader")).status, 200);
  for (
    const path of [
      "/api/tasks?token=reader",
      "/api/tasks/a?token=reader",
      "/metrics?token=admin",
      "/api/stream/?token=reader",
    ]
  ) {
    assertEquals((await guarded.ask(path)).status, 401, path);
  }
  assertEquals([guarded.gateway.askedBy, guarded.tokens?.asked], [[READER], ["reader"]]);
});

Deno.test("a ticket opens one stream, and is not used up where it opens nothing", async () => {
  const guarded = new Guarded();
  const ticket = guarded.gate.issue(READER)?.ticket ?? "";
  const elsewhere = [
    ["/api/tasks", {}],
    ["/api/tickets", { method: "POST" }],
    ["/api/tasks/a/events", EVENT],
    ["/metrics", {}],
  ] as const;
  for (const [path, init] of elsewhere) {
    const { status, text } = await guarded.ask(path, { ...init, token: ticket });
    assertEquals([status, JSON.parse(text).detail], [401, "a ticket opens a connection, and nothing else"]);
  }
  const stream = `/api/stream?topics=task:list&token=${ticket}`;
  assertEquals(await guarded.statuses(2, stream), [200, 401]);
  assertEquals([guarded.gateway.askedBy, guarded.tokens?.asked], [[READER], []]);
});

Deno.test("the stream knows by which address it is counted", async () => {
  const guarded = new Guarded();
  await guarded.ask("/api/stream?topics=task:list", { token: "reader", from: "192.0.2.99" });
  assertEquals(guarded.gateway.asked, [["stream", "topics=task%3Alist", undefined, "192.0.2.99", {}]]);
});

Deno.test("a request too many is told when to come again, and counted", async () => {
  const guarded = new Guarded({ perSecond: 2, burst: 3 });
  assertEquals(await guarded.statuses(4, "/api/tasks/a", { token: "reader" }), [200, 200, 200, 429]);
  const { status, headers, text } = await guarded.ask("/api/tasks/a", { token: "reader" });
  assertEquals([status, headers.get("retry-after")], [429, "1"]);
  const { code, details } = JSON.parse(text);
  assertEquals([code, details], ["RATE_LIMITED", { retry_after_ms: 500 }]);
  assertEquals([guarded.refused, guarded.gateway.asked.length], [2, 3]);
  guarded.nowMs += 500;
  assertEquals(await guarded.statuses(2, "/api/tasks/a", { token: "reader" }), [200, 429]);
});

Deno.test("requests are counted by whose token they show, wherever they come from, and by address without one", async () => {
  const known = new Guarded({ perSecond: 1, burst: 2 });
  const asked = (token: string, from: string) => known.ask("/api/tasks/a", { token, from });
  const statuses = [
    (await asked("reader", "192.0.2.1")).status,
    (await asked("reader", "192.0.2.2")).status,
    (await asked("reader", "192.0.2.3")).status,
    (await asked("admin", "192.0.2.1")).status,
  ];
  assertEquals(statuses, [200, 200, 429, 200]);
  const nobody = new Guarded({ tokens: undefined, perSecond: 1, burst: 2 });
  assertEquals(await nobody.statuses(3, "/api/tasks/a", { from: "192.0.2.1" }), [200, 200, 429]);
  assertEquals(await nobody.statuses(3, "/api/tasks/a", { from: "192.0.2.2" }), [200, 200, 429]);
});

Deno.test("a page of the list or of a task's events costs five requests, a ticket and the rest one", async () => {
  const costs: readonly (readonly [path: string, method: string, cost: number])[] = [
    ["/api/tasks", "GET", 5],
    ["/api/tasks?limit=1", "GET", 5],
    ["/api/tasks/a/events", "GET", 5],
    ["/api/tasks/a", "GET", 1],
    ["/api/stream?topics=task:list", "GET", 1],
    ["/api/rejected", "GET", 1],
    ["/api/tasks/a/cancel", "POST", 1],
    ["/api/tickets", "POST", 1],
    ["/api/nope", "GET", 1],
  ];
  for (const [path, method, cost] of costs) {
    const guarded = new Guarded({ perSecond: 1, burst: 10 });
    const statuses = await guarded.statuses(11, path, { token: "admin", method });
    assertEquals(statuses.findIndex((status) => status === 429), 10 / cost, path);
  }
});

Deno.test("who may publish is not held back in that, but is in all else; who may not is held back in both", async () => {
  const guarded = new Guarded({ perSecond: 1, burst: 2 });
  const publish = { ...EVENT, token: "worker" };
  assertEquals(await guarded.statuses(5, "/api/tasks/a/events", publish), [202, 202, 202, 202, 202]);
  assertEquals(await guarded.statuses(3, "/api/tasks/a/cancel", publish), [403, 403, 429]);
  assertEquals(await guarded.statuses(1, "/api/tasks/a/events", publish), [202]);
  assertEquals(await guarded.statuses(3, "/api/tasks/a/events", { ...EVENT, token: "reader" }), [
    403,
    429,
    429,
  ]);
});

Deno.test("tokens that open nothing count ten each against the address they come from, and then are not looked at", async () => {
  const guarded = new Guarded({ perSecond: 100, burst: 25 });
  assertEquals(await guarded.statuses(6, "/api/tasks/a", { token: "guess" }), [401, 401, 401, 429, 429, 429]);
  assertEquals([guarded.tokens?.asked.length, guarded.refused], [3, 3]);
  assertEquals((await guarded.ask("/api/tasks/a", { token: "reader", from: "192.0.2.2" })).status, 200);
  // Those that carry none, or break a rule, count as much.
  const others: readonly Parameters<Guarded["ask"]>[1][] = [{}, { authorization: "Basic x" }, {
    token: "old",
  }];
  for (const asked of others) {
    const again = new Guarded({ perSecond: 100, burst: 25 });
    assertEquals((await again.statuses(4, "/api/tasks/a", asked)).at(-1), 429);
  }
});

Deno.test("a token that was good and has ended is a guess like others", async () => {
  const guarded = new Guarded({ perSecond: 100, burst: 25 });
  const { tokens } = guarded;
  assert(tokens !== undefined);
  assertEquals((await guarded.ask("/api/tasks/a", { token: "reader" })).status, 200);
  tokens.hasEnded = true;
  assertEquals(await guarded.statuses(5, "/api/tasks/a", { token: "reader" }), [401, 401, 401, 429, 429]);
});

Deno.test("whoever goes on guessing does so at a tenth of the rate, however it is timed", async () => {
  const guarded = new Guarded({ perSecond: 100, burst: 20 });
  for (; guarded.nowMs < 10_000; guarded.nowMs += 10) await guarded.ask("/api/tasks/a", { token: "guess" });
  const guesses = guarded.tokens?.asked.length ?? 0;
  assert(guesses <= 10_000 / 100 + 3, `${guesses} guesses in 10 s`);
});

Deno.test("metrics are for operators alone", async () => {
  const guarded = new Guarded();
  const statuses = await Promise.all(
    ["admin", "reader", "worker"].map(async (token) => (await guarded.ask("/metrics", { token })).status),
  );
  assertEquals(statuses, [200, 403, 403]);
});

Deno.test("who may not is told so before a byte of what it sends is read", async () => {
  const guarded = new Guarded();
  const sent = async (path: string, token: string) => {
    let pulled = 0;
    const body = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new TextEncoder().encode("{}"));
        controller.close();
      },
    }, { highWaterMark: 0 });
    const { status } = await guarded.ask(path, { method: "POST", token, body });
    return { status, pulled };
  };
  assertEquals(await sent("/api/tasks/a/events", "reader"), { status: 403, pulled: 0 });
  assertEquals(await sent("/api/tasks/a/cancel", "worker"), { status: 403, pulled: 0 });
  assertEquals(await sent("/api/tasks/a/events", "worker"), { status: 400, pulled: 1 });
  assertEquals(await sent("/api/tasks/a/cancel", "reader"), { status: 202, pulled: 1 });
});

Deno.test("who was let in lately goes on while others guess at its address, and is not held to have guessed", async () => {
  const guarded = new Guarded({ perSecond: 100, burst: 25 });
  assertEquals(await guarded.statuses(1, "/api/tasks/a", { token: "reader" }), [200]);
  assertEquals(await guarded.statuses(4, "/api/tasks/a", { token: "guess" }), [401, 401, 401, 429]);
  assertEquals(await guarded.statuses(9, "/api/tasks/a", { token: "reader" }), Array(9).fill(200));
  const looked = guarded.tokens?.asked.length;
  assertEquals(await guarded.statuses(1, "/api/tasks/a", { token: "admin" }), [429], "it may be a guess");
  assertEquals(guarded.tokens?.asked.length, looked);
  assertEquals(await guarded.statuses(1, "/api/tasks/a", { token: "admin", from: "192.0.2.2" }), [200]);
});

Deno.test("to ask with HEAD what a stream would be uses no ticket up", async () => {
  const guarded = new Guarded();
  const stream = `/api/stream?topics=task:list&token=${guarded.gate.issue(READER)?.ticket}`;
  assertEquals((await guarded.ask(stream, { method: "HEAD" })).status, 401);
  assertEquals(await guarded.statuses(2, stream), [200, 401]);
});
