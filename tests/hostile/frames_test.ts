import { assert, assertEquals } from "@std/assert";
import { frame, header, OPCODES, RawPeer } from "../transport/raw_peer.ts";
import { AttackedGateway, type Counts } from "./attacked_gateway.ts";
import { joined, repeated, utf8 } from "./raw_bytes.ts";
import { exchange, requestOf, upgradeOf } from "./raw_http.ts";

/** The limit of a message, in bytes. */
const LIMIT = 65_536;
const MB = 1_048_576;
const PING = '{"type":"ping","id":"p"}';

const target = AttackedGateway.forAllTests({
  settings: { HEARTBEAT_MS: "500", IDLE_MS: "1500" },
  async warmUp() {
    for (let i = 0; i < 3; i++) {
      await closedBy(frame("x".repeat(125), { opcode: OPCODES.ping, final: false }));
    }
  },
});

/** What ends a connection that sends these bytes; it says goodbye then. */
async function closedBy(...parts: readonly Uint8Array[]): Promise<number> {
  using peer = await RawPeer.connect(target.port);
  return await endOf(peer, parts);
}

async function endOf(peer: RawPeer, parts: readonly Uint8Array[]): Promise<number> {
  const closed = peer.untilClosed();
  for (const bytes of parts) await peer.send(bytes).catch(() => {}); // it may be hung up on while it is at it
  const { code } = await closed;
  await peer.end();
  return code;
}

function counted(code: number): Counts {
  const known = [1002, 1007, 1008, 1009, 4408, 4429].includes(code);
  return { [`taskwire_connections_closed_total{code="${known ? code : "other"}"}`]: 1 };
}

/** One test of bytes that end their connection with `code`, and nothing else. */
function ends(name: string, code: number, ...parts: readonly Uint8Array[]): void {
  Deno.test(`${name}: ${code}`, async () => {
    await target.withstands(async () => {
      assertEquals(await closedBy(...parts), code);
      return counted(code);
    });
  });
}

const MORE = { opcode: OPCODES.more, final: false } as const;
const begun = frame("x", { final: false });

ends("a frame of 64 MB, by its header", 1009, header({ opcode: OPCODES.text, length: 64 * MB }));
ends("a binary frame of 64 MB, by its header", 1009, header({ opcode: OPCODES.binary, length: 64 * MB }));
ends("a frame of 2^53 - 1 bytes", 1009, header({ opcode: OPCODES.text, length: Number.MAX_SAFE_INTEGER }));
ends(
  "a frame of 2^63 - 1 bytes",
  1009,
  new Uint8Array([0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4]),
);
ends(
  "a frame of 2^64 - 1 bytes, whose highest bit must not be set",
  1009,
  new Uint8Array([0x81, 0xff, ...Array(8).fill(255), 1, 2, 3, 4]),
);
ends("a further piece of 64 MB", 1009, begun, header({ ...MORE, length: 64 * MB }));
ends("a message in pieces of one byte that never ends", 1008, begun, repeated(frame("y", MORE), 20_000));
ends("a message in empty pieces that never ends", 1008, begun, repeated(frame("", MORE), 20_000));
ends(
  "a message in pieces that never ends, each of which comes with 64 KiB of pings to be held with it",
  4429,
  begun,
  repeated(joined([repeated(frame("x".repeat(125), { opcode: OPCODES.ping }), 500), frame("y", MORE)]), 100),
);
ends(
  "reserved bit 1, as if compressed, without compression agreed on",
  1002,
  frame(PING, { reserved: 0b100 }),
);
ends("reserved bit 2", 1002, frame(PING, { reserved: 0b010 }));
ends("reserved bit 3", 1002, frame(PING, { reserved: 0b001 }));
ends("all reserved bits on a ping", 1002, frame("", { opcode: OPCODES.ping, reserved: 0b111 }));
for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  ends(`opcode ${opcode}`, 1002, frame(PING, { opcode }));
}
ends("a frame without a mask", 1002, frame(PING, { masked: false }));
ends("a ping without a mask", 1002, frame("", { opcode: OPCODES.ping, masked: false }));
ends("a piece of no message", 1002, frame(PING, { opcode: OPCODES.more }));
ends("a message begun within another", 1002, begun, frame(PING));
ends("a ping in pieces", 1002, frame("x", { opcode: OPCODES.ping, final: false }));
ends("a ping of 126 bytes", 1002, header({ opcode: OPCODES.ping, length: 126 }));
ends("a close of 126 bytes", 1002, header({ opcode: OPCODES.close, length: 126 }));

const NO_UTF8: Readonly<Record<string, readonly number[]>> = {
  "a byte that is none": [0xff],
  "a continuation without a beginning": [0x80],
  "a sequence cut short": [0xe2, 0x82],
  "a surrogate": [0xed, 0xa0, 0x80],
  "an overlong slash": [0xc0, 0xaf],
  "beyond the last code point": [0xf4, 0x90, 0x80, 0x80],
};
for (const [name, bytes] of Object.entries(NO_UTF8)) {
  ends(`text that is not UTF-8, ${name}`, 1007, frame(new Uint8Array([0x22, ...bytes, 0x22])));
}
ends(
  "text that is not UTF-8 where two pieces meet",
  1007,
  frame(new Uint8Array([0x22, 0xc3]), { final: false }),
  frame("x", { opcode: OPCODES.more }),
);
ends(
  "a close whose reason is not UTF-8",
  1007,
  frame(new Uint8Array([0x03, 0xe8, 0xff]), { opcode: OPCODES.close }),
);

for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535]) {
  ends(
    `a close of code ${code}, which is none to be sent`,
    1002,
    frame(closeBody(code), { opcode: OPCODES.close }),
  );
}
ends("a close of one byte", 1002, frame("x", { opcode: OPCODES.close }));

function closeBody(code: number): Uint8Array {
  return new Uint8Array([code >> 8, code & 0xff]);
}

Deno.test("64 MB sent behind the header of such a frame are not kept", async () => {
  await target.withstands(async () => {
    using peer = await RawPeer.connect(target.port);
    await peer.send(header({ opcode: OPCODES.text, length: 64 * MB }));
    const closed = peer.untilClosed();
    const piece = new Uint8Array(MB);
    for (let sent = 0; sent < 64; sent++) if (!await peer.send(piece).then(() => true, () => false)) break;
    assertEquals((await closed).code, 1009);
    return counted(1009);
  });
});

Deno.test("200 connections that have each sent all of a frame but its end, byte by byte, hold little, and are closed as idle", async () => {
  await target.withstands(async () => {
    const peers = await Promise.all(Array.from({ length: 200 }, () => RawPeer.connect(target.port)));
    for (const peer of peers) {
      peer.connection.setNoDelay(true);
      await peer.send(header({ opcode: OPCODES.text, length: LIMIT }));
    }
    for (let i = 0; i < 100; i++) await Promise.all(peers.map((peer) => peer.send(utf8("x"))));
    const codes = await Promise.all(peers.map((peer) => endOf(peer, [])));
    for (const peer of peers) peer[Symbol.dispose]();
    assertEquals([...new Set(codes)], [4408]);
    return { 'taskwire_connections_closed_total{code="4408"}': 200 };
  });
});

Deno.test("a frame that comes in more pieces of the network than it has 256 bytes is refused: 1008", async () => {
  await target.withstands(async () => {
    // On a machine that has much else to do pieces come together, until the connection ends since it is idle.
    let code: number | undefined = 4408;
    for (let tries = 0; tries < 5 && code === 4408; tries++) code = await sentInPieces();
    assertEquals(code, 1008);
  });
});

/** What a connection is closed with on which a frame comes byte by byte. */
async function sentInPieces(): Promise<number | undefined> {
  using peer = await RawPeer.connect(target.port);
  peer.connection.setNoDelay(true);
  const closed = endOf(peer, []);
  await peer.send(header({ opcode: OPCODES.text, length: LIMIT }));
  let isOver = false;
  const code = closed.finally(() => isOver = true);
  for (let i = 0; i < LIMIT - 1 && !isOver; i++) {
    await peer.send(utf8("x")).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 0)); // else they come together
  }
  return await code;
}

Deno.test("compression is agreed on without any memory of messages, and never refuses a connection", async () => {
  const agreed =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12";
  await target.withstands(async () => {
    for (
      const [offer, answered] of [
        ["permessage-deflate", agreed],
        ["permessage-deflate; client_max_window_bits", agreed],
        ["permessage-deflate; server_max_window_bits=9", undefined],
        ["permessage-deflate; unheard_of", undefined],
        ["x-webkit-deflate-frame", undefined],
      ]
    ) {
      const headers = { "Sec-WebSocket-Extensions": offer ?? "" };
      const answer = await exchange(target.port, upgradeOf("/ws", headers));
      assertEquals([answer?.status, answer?.headers.get("sec-websocket-extensions")], [101, answered]);
    }
  });
});

for (const encoding of ["gzip", "br", "deflate", "zstd", "gzip, identity", "identity, gzip", "x-gzip"]) {
  Deno.test(`a body with content-encoding ${encoding} is refused before it is read: 415`, async () => {
    await target.withstands(async () => {
      const bomb = utf8("x".repeat(100_000)); // whatever it is, nobody looks
      const answer = await exchange(
        target.port,
        requestOf("POST /api/tasks/bomb/events HTTP/1.1", {
          "Content-Type": "application/json",
          "Content-Encoding": encoding,
          "Content-Length": String(bomb.length),
        }, bomb),
      );
      assertEquals(answer?.status, 415);
      assert(answer?.body.includes("content-encoding"));
    });
  });
}
