import type { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer, type Server, type ServerOptions } from "node:http";
import { connect, type Socket } from "node:net";
import type { MiddlewareHandler } from "hono";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Asking } from "../../src/http/asking.ts";
import { inTurn } from "../../src/http/large_answers.ts";
import { REQUEST_BOUNDS, type Senders, serveApp } from "../../src/http/listener.ts";
import { eventually } from "../eventually.ts";
import { taskNamed } from "../sample_task.ts";
import { FakeGateway } from "./fake_gateway.ts";

type App = Parameters<typeof serveApp>[1];

type Given = ServerOptions & { app?: App; senders?: Senders };

/** A real server on a free port, ended with all its connections. */
class TestServer implements AsyncDisposable {
  readonly gateway = new FakeGateway();
  readonly server: Server;

  constructor({ app, senders, ...bounds }: Given) {
    this.server = createServer({ ...REQUEST_BOUNDS, ...bounds });
    this.gateway.tasks.set("a", taskNamed("a"));
    serveApp(this.server, app ?? this.gateway.app(), this.gateway.telemetry.incident, senders);
  }

  static async start(given: Given = {}): Promise<TestServer> {
    const test = new TestServer(given);
    test.server.listen(0, "127.0.0.1");
    await once(test.server, "listening");
    return test;
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    return address.port;
  }

  /** A connection by hand: what a client of any temper sends. */
  async connect(): Promise<Wire> {
    const socket = connect(this.port, "127.0.0.1");
    await once(socket, "connect");
    return new Wire(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

/** One end of a TCP connection. */
class Wire implements Disposable {
  readonly socket: Socket;
  /** All that was received, once the connection has ended in whatever way. */
  readonly ended: Promise<string>;
  received = "";
  #look: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => {
      this.received += bytes.toString();
      this.#look();
    });
    socket.on("error", () => {}); // a reset is an end like another
    this.ended = new Promise((ended) => socket.on("close", () => ended(this.received)));
  }

  /** Sends; resolves once it is on its way, or lost. */
  send(text: string): Promise<void> {
    return new Promise((sent) => this.socket.write(text, () => sent()));
  }

  /** What was received, as soon as it holds `text`. Rejects when the connection ends before. */
  async until(text: string): Promise<string> {
    const seen = new Promise<void>((done) => {
      this.#look = () => this.received.includes(text) && done();
      this.#look();
    });
    await Promise.race([seen, this.ended]);
    if (!this.received.includes(text)) throw new Error(`ended with: ${this.received}`);
    return this.received;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const head = (line: string, ...headers: string[]) => [line, "Host: gateway", ...headers, "", ""].join("\r\n");

function test(name: string, fn: () => Promise<void>): void {
  // After an answer to a body that was not read, the hono adapter drains what comes for 500 ms by an unrefed timer.
  Deno.test(name, { sanitizeOps: false, sanitizeResources: false }, fn);
}

test("a body of declared size above the bound is refused before any of it is sent", async () => {
  await using test = await TestServer.start();
  using wire = await test.connect();
  await wire.send(head("POST /api/tasks/a/events HTTP/1.1", "Content-Length: 1048577"));
  const answer = await wire.ended;
  assert(answer.startsWith("HTTP/1.1 413 "), answer);
  assertStringIncludes(answer, '"code":"LIMIT_EXCEEDED"');
  assertEquals(test.gateway.asked, []);
});

test("a body of unknown size is read up to the bound and no further, and the client gets its answer", async () => {
  await using test = await TestServer.start();
  using wire = await test.connect();
  await wire.send(head("POST /api/tasks/a/events HTTP/1.1", "Transfer-Encoding: chunked"));
  const piece = `10000\r\n${" ".repeat(65_536)}\r\n`;
  let pieces = 0;
  // Far more than the bound; the kernel's buffers on both ends take a few MiB of it.
  while (pieces < 4_000 && !wire.socket.destroyed && !wire.received.includes("413")) {
    await Promise.race([wire.send(piece), wire.ended]);
    pieces++;
  }
  assertStringIncludes(await wire.ended, "HTTP/1.1 413 ");
  assert(pieces < 1_000, `took ${pieces} pieces of 64 KiB`);
});

test("who asks before sending is told to go on, unless the body is too large", async () => {
  await using test = await TestServer.start();
  using polite = await test.connect();
  const body = '{"kind":"started"}';
  const headers = ["Content-Type: application/json", "Expect: 100-continue"];
  await polite.send(head("POST /api/tasks/a/events HTTP/1.1", ...headers, `Content-Length: ${body.length}`));
  await polite.until("HTTP/1.1 100 Continue\r\n\r\n");
  await polite.send(body);
  await polite.until('{"results":[{"seq":1,"duplicate":false}]}');

  using large = await test.connect();
  await large.send(head("POST /api/tasks/a/events HTTP/1.1", ...headers, "Content-Length: 5000000"));
  assert((await large.ended).startsWith("HTTP/1.1 413 "));
});

test("a body that comes too slowly ends in 408, and others are served meanwhile", async () => {
  await using test = await TestServer.start({
    requestTimeout: 400,
    headersTimeout: 300,
    connectionsCheckingInterval: 50,
  });
  using slowBody = await test.connect();
  await slowBody.send(head("POST /api/tasks/a/events HTTP/1.1", "Content-Length: 100") + '{"kind":');
  using slowPieces = await test.connect();
  await slowPieces.send(
    head("POST /api/tasks/a/events HTTP/1.1", "Transfer-Encoding: chunked") + "1\r\n{\r\n",
  );
  using slowHead = await test.connect();
  await slowHead.send("POST /api/tasks/a/events HTTP/1.1\r\nHo");
  const meanwhile = await fetch(`http://127.0.0.1:${test.port}/api/tasks/a`);
  assertEquals(await meanwhile.json(), taskNamed("a"));
  for (const wire of [slowBody, slowPieces, slowHead]) {
    assert((await wire.ended).startsWith("HTTP/1.1 408 "), wire.received);
  }
  assertEquals([test.gateway.appended, test.gateway.lines], [[], []]);
});

test("a client that goes away in the middle of its body leaves nothing behind", async () => {
  await using test = await TestServer.start();
  for (const framing of ["Content-Length: 500", "Content-Length: 500000", "Transfer-Encoding: chunked"]) {
    const wire = await test.connect();
    await wire.send(head("POST /api/tasks/a/events HTTP/1.1", framing) + '5\r\n{"kin');
    wire.socket.destroy();
    await wire.ended;
  }
  // A later request, answered after them, on a server that logged no incident.
  const later = await fetch(`http://127.0.0.1:${test.port}/healthz`);
  assertEquals(await later.json(), { status: "ok" });
  assertEquals([test.gateway.appended, test.gateway.lines], [[], []]);
});

test("a connection serves one request after the other, HEAD without a body", async () => {
  await using test = await TestServer.start();
  using wire = await test.connect();
  await wire.send(head("HEAD /api/tasks/a HTTP/1.1") + head("GET /healthz HTTP/1.1"));
  const both = await wire.until('{"status":"ok"}');
  const [first = "", second = ""] = both.split("\r\n\r\n");
  assert(first.startsWith("HTTP/1.1 200 ") && /content-type: application\/json/i.test(first), first);
  assert(second.startsWith("HTTP/1.1 200 "), both);
  await wire.send(head("HEAD /nope HTTP/1.1"));
  await wire.until("HTTP/1.1 404 ");
  await wire.send(head("GET /api/tasks?limit=x HTTP/1.1", "Connection: close"));
  assertStringIncludes(await wire.ended, '"code":"INVALID_MESSAGE"');
});

test("what is no request, or has two lengths, is refused and its connection ended", async () => {
  await using test = await TestServer.start();
  const smuggled = head(
    "POST /api/tasks/a/events HTTP/1.1",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
  );
  const requests: [string, string][] = [
    ["\u0000\u0001\r\n\r\n", "HTTP/1.1 400 "],
    ["FOO / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "],
    [smuggled + "0\r\n\r\n", "HTTP/1.1 400 "],
    [head("POST / HTTP/1.1", "Content-Length: 5", "Content-Length: 6"), "HTTP/1.1 400 "],
    [head("GET /healthz HTTP/1.1", `X: ${"x".repeat(REQUEST_BOUNDS.maxHeaderSize)}`), "HTTP/1.1 431 "],
  ];
  for (const [request, status] of requests) {
    using wire = await test.connect();
    await wire.send(request);
    assert(
      (await wire.ended).startsWith(status),
      `${JSON.stringify(request.slice(0, 60))}: ${wire.received}`,
    );
  }
  using strange = await test.connect();
  await strange.send("GET /healthz HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n");
  const answer = await strange.ended;
  assert(answer.startsWith("HTTP/1.1 400 "), answer);
  assertStringIncludes(answer, '"code":"INVALID_MESSAGE"');
  assertEquals(test.gateway.lines, []);
});

test("no path leads out of the routes", async () => {
  await using test = await TestServer.start();
  for (
    const target of [
      "/../etc/passwd",
      "//healthz",
      "/api/tasks/../../healthz",
      "/api/tasks/%2e%2e",
      "http://x/nope",
    ]
  ) {
    using wire = await test.connect();
    await wire.send(head(`GET ${target} HTTP/1.1`, "Connection: close"));
    const answer = await wire.ended;
    assert(/^HTTP\/1.1 (200|400|404) /.test(answer) && !answer.includes("root:"), `${target}: ${answer}`);
  }
});

test("an app that throws what is no error is an incident, not the end", async () => {
  const broken: App = { fetch: () => Promise.reject("a thrown text") };
  await using test = await TestServer.start({ app: broken });
  const answer = await fetch(`http://127.0.0.1:${test.port}/healthz`);
  assertEquals([answer.status, (await answer.json()).details], [500, { incident: "incident_1" }]);
  assertStringIncludes(
    test.gateway.lines.join(),
    'error incident incident=incident_1 where=http error="a thrown text"',
  );
});

test("an upgraded connection outlives every bound on requests", async () => {
  await using test = await TestServer.start({
    requestTimeout: 200,
    headersTimeout: 100,
    keepAliveTimeout: 100,
    connectionsCheckingInterval: 20,
  });
  test.server.on("upgrade", (_request, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    socket.on("data", (bytes: Buffer) => socket.write(bytes));
    socket.on("end", () => socket.end());
    socket.on("error", () => {});
  });
  using upgraded = await test.connect();
  await upgraded.send(head("GET /ws HTTP/1.1", "Connection: Upgrade", "Upgrade: echo"));
  await upgraded.until("101 Switching Protocols");
  // A connection without an upgrade that is made after it has ended by its bound: so much time has passed.
  using bounded = await test.connect();
  await bounded.send("GET /ws HTTP/1.1\r\nHo");
  assert((await bounded.ended).startsWith("HTTP/1.1 408 "));
  await upgraded.send("still here");
  await upgraded.until("still here");
});

test("idle connections do not hold up a stop", async () => {
  const test = await TestServer.start();
  using wire = await test.connect();
  await wire.send(head("GET /healthz HTTP/1.1"));
  await wire.until('{"status":"ok"}');
  const closed = once(test.server, "close");
  test.server.close();
  test.server.closeIdleConnections();
  await Promise.all([closed, wire.ended]);
});

test("lists that wait are counted by who asks, whatever their targets look like, and one too many is told 429", async () => {
  const begun: string[] = [];
  const held = Promise.withResolvers<void>();
  let refused = 0;
  const guards: readonly MiddlewareHandler<Asking>[] = [
    async (c, next) => {
      c.set("address", c.req.header("x-for") ?? "");
      await next();
    },
    inTurn(() => refused++),
    async (c) => {
      begun.push(c.var.address);
      await held.promise;
      return c.json([]);
    },
  ];
  await using test = await TestServer.start({ app: new FakeGateway().app({ guards }) });
  const targets = [
    "/api/tasks",
    "/api/%74asks?limit=9",
    "http://x/api/tasks",
    "/api/./tasks",
    "/api/tasks/a/event%73",
  ];
  const ask = async (address: string, i = 0): Promise<Wire> => {
    const wire = await test.connect();
    const line = `${i % 2 === 0 ? "GET" : "HEAD"} ${targets[i % targets.length]} HTTP/1.1`;
    await wire.send(head(line, `X-For: ${address}`, "Connection: close"));
    return wire;
  };
  const crowd: Wire[] = [];
  for (let i = 0; i < 40; i++) crowd.push(await ask("10.0.0.1", i));
  const early = crowd.map(async (wire, i) => (await wire.ended).startsWith("HTTP/1.1 429 ") ? i : undefined);
  using other = await ask("10.0.0.2");
  await eventually("both are begun", () => begun.length === 5);
  assertEquals(begun.toSorted(), [...Array(4).fill("10.0.0.1"), "10.0.0.2"]);
  held.resolve();
  assertEquals((await Promise.all(early)).filter((i) => i !== undefined).length, 4);
  assertEquals(refused, 4);
  assert((await other.ended).startsWith("HTTP/1.1 200 "));
});
