import { assertEquals } from "@std/assert";
import { offeredToken } from "../../src/access/bearer.ts";
import { webSockets } from "../../src/client/socket.ts";

/** A WebSocket that notes how it was made. */
class NotedWebSocket {
  static made: readonly [string, readonly string[]][] = [];
  readonly readyState = 0;
  onmessage = null;
  onclose = null;
  onerror = null;

  constructor(url: string, protocols: string[] = []) {
    NotedWebSocket.made = [...NotedWebSocket.made, [url, protocols]];
  }

  send(): void {}

  close(): void {}
}

Deno.test("a token is offered as a sub-protocol, as gateways read it, and is not in the URL", () => {
  const open = webSockets(NotedWebSocket);
  const tokens = ["t0ken", "a.b-c_d~e/f+g=", "ein schöner Schlüssel ✓", "x".repeat(4_000)];
  for (const token of tokens) {
    const query = new URLSearchParams({ batch: "1", token });
    open(`ws://gateway/ws?${query}`, { message: () => {}, ended: () => {} });
    const [url, protocols] = NotedWebSocket.made.at(-1) ?? ["", []];
    assertEquals(url, "ws://gateway/ws?batch=1");
    const places = { authorization: undefined, protocols: protocols.join(", ") };
    assertEquals(offeredToken(places), { token });
  }
  open("ws://gateway/ws?batch=1", { message: () => {}, ended: () => {} });
  assertEquals(NotedWebSocket.made.at(-1), ["ws://gateway/ws?batch=1", ["taskwire.v1.json"]]);
});
