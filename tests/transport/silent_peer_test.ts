import { createServer } from "node:http";
import { assert, assertEquals } from "@std/assert";
import { Gate } from "../../src/access/gate.ts";
import { Admission } from "../../src/transport/admission.ts";
import { RateLimits } from "../../src/transport/rate_limits.ts";
import { TaskWebSocketServer } from "../../src/transport/websocket_server.ts";
import { TestClient } from "../websocket_client.ts";
import { eventOf, LiveGateway } from "./live_gateway.ts";
import { frame, OPCODES, RawPeer } from "./raw_peer.ts";

const HEARTBEAT_MS = 300;
const IDLE_MS = 900;

function start(idleMs = IDLE_MS): Promise<LiveGateway> {
  return LiveGateway.start({ HEARTBEAT_MS: String(HEARTBEAT_MS), IDLE_MS: String(idleMs) });
}

/** The opcode of the next frame. */
async function opcodeOf(peer: RawPeer): Promise<number | undefined> {
  return (await peer.next())?.opcode;
}

Deno.test("a peer that says nothing is asked whether it is there, and closed with 4408 when it does not answer", async () => {
  await using live = await start();
  using peer = await RawPeer.connect(live.port);
  const connectedMs = performance.now();
  assertEquals(await opcodeOf(peer), OPCODES.text);
  assertEquals(await opcodeOf(peer), OPCODES.ping);
  assert(performance.now() - connectedMs >= HEARTBEAT_MS - 20);
  const { code, messages } = await peer.untilClosed();
  assertEquals([code, messages], [4408, []]);
  const closedMs = performance.now() - connectedMs;
  assert(closedMs >= IDLE_MS - 20 && closedMs < IDLE_MS + 1_000, `closed after ${closedMs} ms`);
});

Deno.test("a peer that answers pings stays, and so does one that only talks", async () => {
  await using live = await start();
  await using client = await live.connect(); // ws answers pings by itself
  const startedMs = performance.now();
  await Promise.all([untilMs(startedMs + 2 * IDLE_MS, answers), untilMs(startedMs + 2 * IDLE_MS, talks)]);
  assertEquals((await client.request("ping")).type, "pong");

  /** Connects and goes on with `turn` until then. */
  async function untilMs(endMs: number, turn: (peer: RawPeer) => Promise<void>): Promise<void> {
    using peer = await RawPeer.connect(live.port);
    assertEquals(await opcodeOf(peer), OPCODES.text);
    while (performance.now() < endMs) await turn(peer);
  }
  async function answers(peer: RawPeer): Promise<void> {
    assertEquals(await opcodeOf(peer), OPCODES.ping);
    await peer.send(frame("", { opcode: OPCODES.pong }));
  }
  async function talks(peer: RawPeer): Promise<void> {
    await peer.send(frame('{"type":"ping","id":"p"}'));
    assertEquals(await opcodeOf(peer), OPCODES.text);
    await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_MS / 3));
  }
});

Deno.test("a message that never ends is no sign of life", async () => {
  await using live = await start();
  using peer = await RawPeer.connect(live.port);
  let closed = false;
  const trickled = (async () => {
    await peer.send(frame("x".repeat(100)).subarray(0, 20));
    while (!closed) {
      await peer.send(new Uint8Array(1)).catch(() => closed = true);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  const { code } = await peer.untilClosed();
  closed = true;
  await trickled;
  assertEquals(code, 4408);
});

Deno.test("a peer that reads slowly is there, however long a ping waits behind what it has still to read", async () => {
  // What lies in the kernel has to be read within this, however slow the machine is.
  const idleMs = 2 * IDLE_MS;
  await using live = await start(idleMs);
  const events = 12_000; // some 15 MB, of which the kernel takes the half that it gets
  for (let i = 0; i < events; i += 500) {
    const task = Array.from(
      { length: 500 },
      () => eventOf(`job${i}`, "progress", { current: "x".repeat(1_000) }),
    );
    await live.append(...task);
  }
  using peer = await RawPeer.connect(live.port, "/ws?topics=task:progress&replay=all");
  const startedMs = performance.now();
  for (let frames = 0; frames < events;) {
    const next = await peer.next();
    assert(next !== undefined && next.opcode !== OPCODES.close, `it ended after ${frames} frames`);
    if (next.opcode === OPCODES.ping) await peer.send(frame("", { opcode: OPCODES.pong }));
    else frames++;
    // Some 2 MB a second; the last, which lie in the kernel where nobody sees them go, faster.
    if (frames < 8_000 && frames % 250 === 0) await new Promise((resolve) => setTimeout(resolve, 120));
  }
  assert(performance.now() - startedMs > 2 * idleMs);
  await peer.send(frame('{"type":"ping","id":"still there"}'));
  await peer.send(frame(new Uint8Array([0x03, 0xe8]), { opcode: OPCODES.close }));
  const { code, messages } = await peer.untilClosed();
  assertEquals([code, messages.at(-1)?.id], [1000, "still there"]);
});

for (const [way, byMs] of [["forward", 86_400_000], ["back", -86_400_000]] as const) {
  Deno.test(`a clock that is set ${way} ends no connection that answers, and those that do not in time`, () => {
    return clockSet(byMs);
  });
}

async function clockSet(byMs: number): Promise<void> {
  await using live = await LiveGateway.start();
  const { pipeline } = live.gateway;
  assert(pipeline !== undefined);
  const counts = { messages: {}, errors: {}, refused: {}, frames: 0, bytes: 0 };
  const limits = { max_message_bytes: 1, max_topics: 1, messages_per_second: 1, messages_burst: 1 };
  const heartbeat = { interval_ms: HEARTBEAT_MS, timeout_ms: IDLE_MS };
  let leaptMs = 0;
  const server = createServer();
  const sockets = new TaskWebSocketServer(server, {
    deps: () => ({
      ...pipeline.connectionDeps(counts, { heartbeat, limits }),
      moved: () => {},
      noteDepth: () => {},
    }),
    clock: { now: () => Date.now() + leaptMs, elapsed: () => performance.now() },
    counts,
    allowedOrigins: "*",
    maxMessageBytes: 65_536,
    compression: false,
    admission: new Admission({ maxConnections: 9, maxPerClient: 9, maxPerAddress: 9, maxPerSubject: 9 }),
    gate: new Gate(undefined, { now: () => Date.now() }),
    handshakes: new RateLimits({ perSecond: 9, burst: 9 }, () => performance.now()),
    trustedProxies: undefined,
    refused: () => {},
    heartbeatMs: HEARTBEAT_MS,
    idleMs: IDLE_MS,
    unready: () => undefined,
    newId: () => crypto.randomUUID(),
    onOpen: () => () => {},
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  assert(address !== null && typeof address === "object");
  try {
    await using client = await TestClient.connect(`ws://127.0.0.1:${address.port}/ws`);
    using silent = await RawPeer.connect(address.port);
    await client.next("welcome");
    leaptMs = byMs;
    assertEquals((await silent.untilClosed()).code, 4408);
    assertEquals((await client.request("ping")).type, "pong");
  } finally {
    sockets.stop();
    await new Promise((resolve) => server.close(resolve));
  }
}
