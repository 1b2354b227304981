import { assertEquals } from "@std/assert";
import { LiveGateway } from "./live_gateway.ts";
import { frame, header, OPCODES, RawPeer } from "./raw_peer.ts";

const LIMIT = 4_096;

/** What ends a connection that sends `bytes`, the last of which are never sent; others are served meanwhile. */
async function closedBy(live: LiveGateway, ...parts: readonly Uint8Array[]): Promise<number> {
  using peer = await RawPeer.connect(live.port);
  for (const bytes of parts) await peer.send(bytes);
  const { code, messages } = await peer.untilClosed();
  assertEquals(messages.map(({ type }) => type), ["welcome"]);
  await peer.end();
  return code;
}

Deno.test("a frame above the limit is refused from its header, before any of its body is sent", async () => {
  await using live = await LiveGateway.start({ MAX_MESSAGE_BYTES: String(LIMIT) });
  await using bystander = await live.connect();
  for (const length of [LIMIT + 1, 65_536, 60_000_000, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
    assertEquals(await closedBy(live, header({ opcode: OPCODES.text, length })), 1009, `${length}`);
    assertEquals(await closedBy(live, header({ opcode: OPCODES.binary, length })), 1009, `${length}`);
  }
  assertEquals((await bystander.request("ping")).type, "pong");
  assertEquals(live.incidents, []);
});

Deno.test("a frame as large as the limit is read", async () => {
  await using live = await LiveGateway.start({ MAX_MESSAGE_BYTES: String(LIMIT) });
  await using client = await live.connect();
  const text = '{"type":"ping","id":"p","fill":""}';
  client.send(text.replace('""', `"${"x".repeat(LIMIT - text.length)}"`));
  assertEquals((await client.next("pong")).id, "p");
  client.send(text.replace('""', `"${"x".repeat(LIMIT - text.length + 1)}"`));
  assertEquals((await client.ended()).code, 1009);
});

Deno.test("a message in pieces is refused as soon as they are too large together, or too many", async () => {
  await using live = await LiveGateway.start({ MAX_MESSAGE_BYTES: String(LIMIT) });
  await using bystander = await live.connect();
  const first = frame("x".repeat(LIMIT / 2), { final: false });
  const more = { opcode: OPCODES.more, final: false } as const;
  assertEquals(await closedBy(live, first, header({ ...more, length: LIMIT / 2 + 1 })), 1009);
  assertEquals(
    await closedBy(live, first, frame("x".repeat(LIMIT / 2), more), header({ ...more, length: 1 })),
    1009,
  );
  assertEquals(await closedBy(live, first, header({ ...more, final: true, length: 60_000_000 })), 1009);
  const empty = frame("", more);
  const many = new Uint8Array(20_000 * empty.length);
  for (let i = 0; i < 20_000; i++) many.set(empty, i * empty.length);
  assertEquals(await closedBy(live, first, many), 1008);
  assertEquals((await bystander.request("ping")).type, "pong");
  assertEquals(live.incidents, []);
});

Deno.test("a message in pieces within the limit is one message", async () => {
  await using live = await LiveGateway.start();
  using peer = await RawPeer.connect(live.port);
  const [one, two] = ['{"type":"ping",', '"id":"in pieces"}'];
  await peer.send(frame(one ?? "", { final: false }));
  await peer.send(frame("between", { opcode: OPCODES.ping }));
  await peer.send(frame(two ?? "", { opcode: OPCODES.more }));
  await peer.send(frame(new Uint8Array([0x03, 0xe8]), { opcode: OPCODES.close }));
  const { code, messages } = await peer.untilClosed();
  assertEquals([code, messages.map(({ type, id }) => type === "pong" ? id : type)], [1000, [
    "welcome",
    "in pieces",
  ]]);
});

Deno.test("text that is not UTF-8 ends the connection with 1007", async () => {
  await using live = await LiveGateway.start();
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc0, 0xaf]]) {
    assertEquals(await closedBy(live, frame(new Uint8Array([0x22, ...bytes, 0x22]))), 1007);
  }
  const split = [frame(new Uint8Array([0x22, 0xc3]), { final: false }), frame("x", { opcode: OPCODES.more })];
  assertEquals(await closedBy(live, ...split), 1007);
  assertEquals(live.incidents, []);
});

Deno.test("a frame that breaks the framing ends the connection with 1002", async () => {
  await using live = await LiveGateway.start();
  await using bystander = await live.connect();
  const ping = '{"type":"ping","id":"p"}';
  const broken: Record<string, readonly Uint8Array[]> = {
    "not masked": [frame(ping, { masked: false })],
    "reserved bit 1": [frame(ping, { reserved: 0b100 })],
    "reserved bit 2": [frame(ping, { reserved: 0b010 })],
    "reserved bit 3": [frame(ping, { reserved: 0b001 })],
    "opcode 3": [frame(ping, { opcode: 3 })],
    "opcode 11": [frame(ping, { opcode: 11 })],
    "a piece of nothing": [frame(ping, { opcode: OPCODES.more })],
    "a message within another": [frame(ping, { final: false }), frame(ping)],
    "a ping in pieces": [frame("x", { opcode: OPCODES.ping, final: false })],
    "a long ping": [header({ opcode: OPCODES.ping, length: 126 })],
    "a close of one byte": [frame("x", { opcode: OPCODES.close })],
    "a close code that is never sent": [frame(new Uint8Array([0x03, 0xed]), { opcode: OPCODES.close })],
  };
  for (const [name, parts] of Object.entries(broken)) {
    assertEquals(await closedBy(live, ...parts), 1002, name);
  }
  assertEquals((await bystander.request("ping")).type, "pong");
  assertEquals(live.incidents, []);
});
