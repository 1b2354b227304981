import { assert, assertEquals } from "@std/assert";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { WebSocketServer } from "ws";
import { concat, encodeJson, json, jsonBatch, type Payload } from "../../src/protocol/codec.ts";
import { deflated } from "../../src/transport/deflated.ts";
import { inflateAtOnce } from "../../src/transport/inflate.ts";
import { TestClient } from "../websocket_client.ts";
import { eventOf, LiveGateway } from "./live_gateway.ts";
import { frame, OPCODES, RawPeer } from "./raw_peer.ts";

const TASKS = 40;
const LIMIT = 65_536;
const DEFLATED = 0b100;
const OFFER = [["Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"]] as const;
const TAIL = new Uint8Array([0, 0, 0xff, 0xff]);

/** A message as a peer deflates it (RFC 7692 §7.2.1). */
function squeezed(text: string | Uint8Array): Uint8Array {
  return deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH, level: 9 }).subarray(0, -4);
}

/** What a peer reads in a deflated message, of which it kept no other. */
function read(bytes: Uint8Array): string {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, windowBits: 12 };
  return new TextDecoder().decode(inflateRawSync(concat([bytes, TAIL]), options));
}

/** Progress of every task. */
function progress(completed: number) {
  return Array.from({ length: TASKS }, (_, i) => eventOf(`job${i}`, "progress", { completed, total: 100 }));
}

Deno.test("who offers compression is sent the same frames as who does not, batches or none", async () => {
  await using live = await LiveGateway.start();
  await live.append(...progress(1));
  for (const query of ["", "batch=1&"]) {
    const path = `/ws?${query}topics=task:progress,task:status`;
    await using plain = await live.connect(path);
    await using client = await live.connect(path, { compress: true });
    assertEquals([plain.isCompressed, client.isCompressed], [false, true]);
    const seq = await live.append(...progress(2), ...progress(3));
    for (const one of [plain, client]) {
      await one.find((frame) => "seq" in frame && frame.type === "task_progress" && frame.seq === seq);
    }
    const pushed = (one: TestClient) => one.frames.filter(({ type }) => type.startsWith("task_"));
    assertEquals(pushed(client), pushed(plain));
    for (const text of ["x", "处理".repeat(5_000)]) {
      client.send({ type: "ping", id: "p", text });
      assertEquals((await client.next("pong")).id, "p");
    }
  }
  assertEquals(live.incidents, []);
});

Deno.test("what is small goes as it is, what is larger is deflated, and each message stands for itself", async () => {
  await using live = await LiveGateway.start();
  await live.append(...progress(1));
  using peer = await RawPeer.connect(live.port, "/ws?batch=1", OFFER);
  assertEquals(
    peer.header("sec-websocket-extensions"),
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
  );
  const sizes: number[] = [];
  for (const type of ["ping", "get_tasks", "get_tasks", "ping"]) {
    await peer.send(frame(`{"type":"${type}","id":"1"}`));
  }
  for (let i = 0; i < 5; i++) {
    const { reserved, payload } = await peer.next() ?? {};
    assert(payload !== undefined);
    const text = reserved === DEFLATED ? read(payload) : new TextDecoder().decode(payload);
    const { type } = JSON.parse(text);
    assertEquals(reserved === DEFLATED, text.length >= 512, type);
    if (type === "task_list") sizes.push(payload.length / text.length);
  }
  assert(sizes.length === 2 && sizes.every((share) => share < 0.2), `${sizes}`);
});

Deno.test("who wants a smaller window than is deflated with, or is refused compression, is sent plain messages", async () => {
  const agreed = async (live: LiveGateway, offer: string) => {
    using peer = await RawPeer.connect(live.port, "/ws", [["Sec-WebSocket-Extensions", offer]]);
    return peer.header("sec-websocket-extensions") !== undefined;
  };
  const names = ["12", "15", "11", "9"].map((bits) => `permessage-deflate; server_max_window_bits=${bits}`);
  {
    await using live = await LiveGateway.start();
    assertEquals(await Promise.all(names.map((offer) => agreed(live, offer))), [true, true, false, false]);
    const more = [
      [`${names[3]}, permessage-deflate`, true],
      ["permessage-deflate; what=1", false],
      ["permessage-deflate; what=1, permessage-deflate; client_max_window_bits", true],
      ["permessage-deflate; client_max_window_bits; client_max_window_bits", false],
      [
        "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits=9; server_no_context_takeover",
        true,
      ],
      [";;;,,==", false],
    ] as const;
    for (const [offer, expected] of more) assertEquals(await agreed(live, offer), expected, offer);
  }
  await using live = await LiveGateway.start({ COMPRESSION: "off" });
  await using client = await live.connect("/ws", { compress: true });
  assertEquals([client.isCompressed, (await client.request("get_tasks")).type], [false, "task_list"]);
});

Deno.test("a message that would be larger than the limit once it is inflated is refused, whole or in pieces", async () => {
  await using live = await LiveGateway.start();
  await using bystander = await live.connect("/ws", { compress: true });
  const bomb = squeezed(new Uint8Array(50_000_000));
  assert(bomb.length < LIMIT, "its header says nothing of it");
  const half = bomb.length >> 1;
  const deflatedText = { reserved: DEFLATED };
  for (
    const parts of [
      [frame(bomb, deflatedText)],
      [
        frame(bomb.subarray(0, half), { ...deflatedText, final: false }),
        frame(bomb.subarray(half), { opcode: OPCODES.more }),
      ],
      [frame(squeezed(" ".repeat(LIMIT + 1)), deflatedText)],
    ]
  ) {
    using peer = await RawPeer.connect(live.port, "/ws", OFFER);
    for (const part of parts) await peer.send(part);
    const { code, messages } = await peer.untilClosed();
    assertEquals([code, messages.map(({ type }) => type)], [1009, ["welcome"]]);
    await peer.end();
  }
  assertEquals((await bystander.request("ping")).type, "pong");
  assertEquals(live.incidents, []);
});

Deno.test("a deflated message as large as the limit is read, and in pieces too", async () => {
  await using live = await LiveGateway.start();
  using peer = await RawPeer.connect(live.port, "/ws", OFFER);
  assertEquals((await peer.next())?.opcode, OPCODES.text);
  const text = '{"type":"ping","id":"p","fill":""}';
  const whole = squeezed(text.replace('""', `"${"x".repeat(LIMIT - text.length)}"`));
  await peer.send(frame(whole, { reserved: DEFLATED }));
  for (let i = 0; i < whole.length; i++) {
    const first = i === 0 ? { reserved: DEFLATED } : { opcode: OPCODES.more };
    await peer.send(frame(whole.subarray(i, i + 1), { ...first, final: i === whole.length - 1 }));
  }
  for (let i = 0; i < 2; i++) {
    const { payload } = await peer.next() ?? {};
    assertEquals(JSON.parse(new TextDecoder().decode(payload)).type, "pong");
  }
});

Deno.test("what is no deflated data is refused as such", async () => {
  await using live = await LiveGateway.start();
  using peer = await RawPeer.connect(live.port, "/ws", OFFER);
  await peer.send(frame(new Uint8Array([1, 2, 3, 4, 5]), { reserved: DEFLATED }));
  assertEquals((await peer.untilClosed()).code, 1007);
  await peer.end();
  using other = await RawPeer.connect(live.port, "/ws", OFFER);
  const nothing = { opcode: OPCODES.binary, reserved: DEFLATED };
  for (let i = 0; i < 10; i++) await other.send(frame(new Uint8Array([1, 2, 3, 4, 5]), nothing));
  assertEquals((await other.untilClosed()).code, 4400);
  await other.end();
  assertEquals(live.incidents, []);
});

Deno.test("all connections of a codec share one that deflates, and a frame is deflated once for all of their flushes", () => {
  assertEquals(deflated(jsonBatch) === deflated(jsonBatch), true);
  assertEquals([json, jsonBatch].map((codec) => deflated(codec).name), [
    "json deflate",
    "json-batch deflate",
  ]);
  // That it is not deflated anew is told by what was made of it before it changed.
  const bytes = encodeJson({ type: "pong", id: "x".repeat(600), timestamp: 1, data: { server_time: 1 } });
  const one: Payload = { bytes, type: "pong", cursor: undefined };
  const before = deflated(json).pack([one], 0);
  bytes.fill(32);
  assertEquals(deflated(jsonBatch).pack([one], 0), before);
});

Deno.test("the inflater that ws would keep for each connection is replaced", async () => {
  const sockets = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: true });
  const replaced = new Promise((resolve) =>
    sockets.on("connection", (ws) => resolve(inflateAtOnce(ws, LIMIT)))
  );
  await new Promise((listening) => sockets.once("listening", listening));
  const address = sockets.address();
  assert(address !== null && typeof address === "object");
  const client = await TestClient.connect(`ws://127.0.0.1:${address.port}`, { compress: true });
  assertEquals(await replaced, true);
  await client.crash();
  await new Promise((done) => sockets.close(done));
});
