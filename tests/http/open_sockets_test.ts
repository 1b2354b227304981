import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { boundSockets } from "../../src/http/open_sockets.ts";
import type { Trusted } from "../../src/transport/client_address.ts";
import { eventually } from "../eventually.ts";
import { LiveGateway } from "../transport/live_gateway.ts";

/** A server that takes so many sockets of an address, and counts those that it turned away. */
class TestServer implements AsyncDisposable {
  readonly server: Server = createServer((_request, response) => response.end("here"));
  refused = 0;

  static async start(max: number, trusted?: Trusted): Promise<TestServer> {
    const test = new TestServer();
    boundSockets(test.server, { max, trusted, refused: () => test.refused++ });
    test.server.listen(0, "127.0.0.1");
    await once(test.server, "listening");
    return test;
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("the server has no port");
    return address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

async function opened(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** What a socket is sent that asks, until it is hung up on or the first answer is there. */
async function answerTo(socket: Socket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const [bytes] = await once(socket, "data");
  return String(bytes).split("\r\n", 1)[0] ?? "";
}

Deno.test("sockets of one address above the bound are refused and closed, idle ones counted, until some are gone", async () => {
  await using test = await TestServer.start(2);
  const idle = [await opened(test.port), await opened(test.port)];
  const more = connect(test.port, "127.0.0.1");
  const closed = once(more, "close");
  const [told] = await once(more, "data");
  assertStringIncludes(String(told), "HTTP/1.1 429 Too Many Requests\r\n");
  assertStringIncludes(String(told), '"limit":"MAX_CONNECTIONS_PER_ADDRESS"');
  await closed;
  assertEquals(test.refused, 1);
  assertEquals(await answerTo(idle[0] ?? more), "HTTP/1.1 200 OK");
  idle[1]?.destroy();
  await eventually("there is room", async () => {
    const socket = await opened(test.port);
    const answer = await answerTo(socket).catch(() => "");
    socket.destroy();
    return answer === "HTTP/1.1 200 OK";
  });
  idle[0]?.destroy();
});

Deno.test("proxies that are trusted are no clients: their sockets are not counted", async () => {
  await using test = await TestServer.start(1, { has: (address) => address === "127.0.0.1" });
  const sockets = [await opened(test.port), await opened(test.port), await opened(test.port)];
  for (const socket of sockets) assertEquals(await answerTo(socket), "HTTP/1.1 200 OK");
  for (const socket of sockets) socket.destroy();
  assertEquals(test.refused, 0);
});

Deno.test("a gateway takes so many connections of an address, and 256 sockets more", async () => {
  await using live = await LiveGateway.start({ MAX_CONNECTIONS_PER_ADDRESS: "1" });
  const sockets = await Promise.all(Array.from({ length: 257 }, () => opened(live.port)));
  const more = connect(live.port, "127.0.0.1");
  more.resume();
  await once(more, "close");
  assertStringIncludes(
    await live.telemetry.metrics(),
    'taskwire_refused_total{limit="MAX_CONNECTIONS_PER_ADDRESS"} 1',
  );
  for (const socket of sockets) socket.destroy();
});
