import { assert, assertEquals } from "@std/assert";
import { WebSocket } from "ws";
import { connect, type PushedFrame } from "../../src/client/client.ts";
import { compact, type CompactOptions } from "../../src/client/compact_socket.ts";
import type { WebSocketClass } from "../../src/client/socket.ts";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "../transport/live_gateway.ts";

/** What came over the wire to the sockets of a class. */
type Wire = { readonly types: Set<string>; messages: number; bytes: number; text: string };

/** WebSockets of `ws`, with what comes to them noted. */
function noting(): { readonly WebSocket: WebSocketClass; readonly wire: Wire } {
  const wire: Wire = { types: new Set(), messages: 0, bytes: 0, text: "" };
  const Noting = class extends WebSocket {
    constructor(url: string, protocols: string[] = []) {
      super(url, protocols);
      this.on("message", (data, isBinary) => {
        wire.types.add(isBinary ? "binary" : "text");
        wire.messages++;
        const bytes = data instanceof ArrayBuffer
          ? new Uint8Array(data)
          : new TextEncoder().encode(String(data));
        wire.bytes += bytes.length;
        wire.text += new TextDecoder().decode(bytes);
      });
    }
  };
  // It is one as far as it is used.
  return { WebSocket: Noting as unknown as WebSocketClass, wire };
}

Deno.test("a client whose sockets are compact hears what others hear, in fewer bytes", async () => {
  await using live = await LiveGateway.start();
  const kinds: readonly (CompactOptions | undefined)[] = [
    undefined,
    { deltas: false },
    { cbor: false },
    {},
    { cbor: false, deltas: false },
  ];
  const clients = kinds.map((options) => {
    const { WebSocket, wire } = noting();
    const client = connect(live.url(), {
      WebSocket: options === undefined ? WebSocket : compact({ ...options, WebSocket }),
    });
    const heard: PushedFrame[] = [];
    client.subscribe(["task:progress", "task:status"], (frame) => heard.push(frame), { replay: "none" });
    return { client, wire, heard };
  });
  try {
    await Promise.all(clients.map(({ client }) => client.getTasks()));
    const first = await live.append(eventOf("job", "started"));
    await eventually("all are live", () => clients.every(({ heard }) => heard.length > 0));
    let seq = first;
    for (let i = 1; i <= 30; i++) {
      const tasks = ["job", "other"].map((id) =>
        eventOf(id, "progress", { total: 100, completed: i, current: "处理 BTCUSDT ".repeat(5) })
      );
      seq = await live.append(...tasks);
      await eventually(
        "all have it",
        () => clients.every(({ heard }) => heard.some(({ id }) => id === `progress_${seq}`)),
      );
      if (i % 10 === 0) await Promise.all(clients.map(({ client }) => client.getTask("job")));
    }
    const [plain, ...others] = clients;
    assert(plain !== undefined);
    const told = (heard: readonly PushedFrame[]) => heard.filter(({ type }) => type.startsWith("task_"));
    for (const { heard } of others) assertEquals(told(heard), told(plain.heard));
    assertEquals(clients.map(({ wire }) => [...wire.types]), [["text"], ["binary"], ["text"], ["binary"], [
      "text",
    ]]);
    assertEquals(clients.map(({ wire }) => wire.text.includes("progress_delta")), [
      false,
      false,
      true,
      true,
      false,
    ]);
    const [whole = 0, cbor = 0, changes = 0, least = 0] = clients.map(({ wire }) => wire.bytes);
    assert(
      cbor < whole && changes < whole && least < Math.min(cbor, changes),
      `${[whole, cbor, changes, least]}`,
    );
  } finally {
    for (const { client } of clients) client.close();
  }
});
