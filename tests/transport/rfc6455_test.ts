import { assertEquals } from "@std/assert";
import { joined, repeated, utf8 } from "../hostile/raw_bytes.ts";
import { LiveGateway } from "./live_gateway.ts";
import { frame, header, OPCODES, type RawFrame, RawPeer } from "./raw_peer.ts";

/**
 * The cases of RFC 6455 that the Autobahn test suite has, as far as our protocol leaves them: it answers messages by its own
 * rules instead of sending them back. What breaks the framing by itself is in tests/hostile/frames_test.ts.
 */
type Case = {
  /** What is sent, one write each. After it a close of 1000, unless `closes`. */
  readonly sent: readonly Uint8Array[];
  /** What comes back after the welcome, up to the end of the connection. */
  readonly told: readonly string[];
  readonly closes?: true;
};

const TEXT = { opcode: OPCODES.text } as const;
const BINARY = { opcode: OPCODES.binary } as const;
const PING = { opcode: OPCODES.ping } as const;
const PONG = { opcode: OPCODES.pong } as const;
const CLOSE = { opcode: OPCODES.close } as const;
const MORE = { opcode: OPCODES.more } as const;
const OPEN = { final: false } as const;

/** The largest message that is taken, in bytes. */
const LIMIT = 65_536;
const BYE = "close 1000";
const NO_FRAME = "error INVALID_MESSAGE";

/** A message of so many bytes that is answered by `pong`. */
function question(bytes: number, id = "q"): string {
  const text = `{"type":"ping","id":"${id}","fill":""}`;
  return text.replace('""', `"${"x".repeat(bytes - text.length)}"`);
}

function closeOf(code: number, reason: string | Uint8Array = ""): Uint8Array {
  const rest = typeof reason === "string" ? utf8(reason) : reason;
  return frame(joined([new Uint8Array([code >> 8, code & 0xff]), rest]), CLOSE);
}

/** The same bytes, each in a write of its own. */
function chopped(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => new Uint8Array([byte]));
}

/** A message in pieces of so many bytes, the last of which ends it. */
function pieces(
  message: string | Uint8Array,
  size: number,
  first: { readonly opcode: number } = TEXT,
): Uint8Array[] {
  const bytes = typeof message === "string" ? utf8(message) : message;
  const count = Math.ceil(bytes.length / size);
  return Array.from(
    { length: count },
    (_, i) =>
      frame(bytes.subarray(i * size, (i + 1) * size), {
        ...(i === 0 ? first : MORE),
        final: i === count - 1,
      }),
  );
}

const Q = question(40);

const FRAMING: Readonly<Record<string, Case>> = {
  "text of 0 bytes": { sent: [frame("")], told: [NO_FRAME, BYE] },
  ...Object.fromEntries([125, 126, 127, 128, 65_535, 65_536].map((length) => [
    `text of ${length} bytes`,
    { sent: [frame(question(length))], told: ["pong q", BYE] },
  ])),
  "text of 65,537 bytes, by its header": {
    sent: [header({ ...TEXT, length: LIMIT + 1 })],
    told: ["close 1009"],
    closes: true,
  },
  "text of 65,536 bytes in writes of 997": {
    sent: slices(frame(question(LIMIT)), 997),
    told: ["pong q", BYE],
  },
  "text of 125 bytes, byte by byte": { sent: chopped(frame(question(125))), told: ["pong q", BYE] },
  "many messages in one write": {
    sent: [joined(["a", "b", "c"].map((id) => frame(question(60, id))))],
    told: ["pong a", "pong b", "pong c", BYE],
  },
  ...Object.fromEntries([0, 125, 126, 127, 128, 65_535, 65_536].map((length) => [
    `binary of ${length} bytes, which is no message of ours`,
    { sent: [frame(new Uint8Array(length).fill(0xfe), BINARY), frame(Q)], told: [NO_FRAME, "pong q", BYE] },
  ])),
};

const CONTROL: Readonly<Record<string, Case>> = {
  "a ping without payload": { sent: [frame("", PING)], told: ['pong ""', BYE] },
  "a ping of text": { sent: [frame("Hello, world!", PING)], told: ['pong "Hello, world!"', BYE] },
  "a ping of 125 bytes": { sent: [frame("x".repeat(125), PING)], told: [`pong "${"x".repeat(125)}"`, BYE] },
  "a ping of bytes that are no text": {
    sent: [frame(new Uint8Array([0, 0xff, 0xfe, 0xfd, 0x80]), PING)],
    told: ["pong 00fffefd80", BYE],
  },
  "a ping, byte by byte": { sent: chopped(frame("chopped", PING)), told: ['pong "chopped"', BYE] },
  "ten pings at once, answered in order": {
    sent: [joined(Array.from({ length: 10 }, (_, i) => frame(`p${i}`, PING)))],
    told: [...Array.from({ length: 10 }, (_, i) => `pong "p${i}"`), BYE],
  },
  "a pong that nobody asked for": { sent: [frame("", PONG), frame(Q)], told: ["pong q", BYE] },
  "a pong of 125 bytes that nobody asked for": {
    sent: [frame("x".repeat(125), PONG), frame("p", PING)],
    told: ['pong "p"', BYE],
  },
  "a pong of 126 bytes": { sent: [header({ ...PONG, length: 126 })], told: ["close 1002"], closes: true },
  "a pong in pieces": { sent: [frame("x", { ...PONG, ...OPEN })], told: ["close 1002"], closes: true },
  "a close in pieces": { sent: [frame("", { ...CLOSE, ...OPEN })], told: ["close 1002"], closes: true },
};

/** What is answered before something breaks the framing is answered all the same. */
const BREACHES: Readonly<Record<string, Case>> = Object.fromEntries([
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((reserved) => [
    [`reserved bits ${reserved} on text`, frame("", { reserved })] as const,
    [`reserved bits ${reserved} on a pong`, frame("", { ...PONG, reserved })] as const,
    [`reserved bits ${reserved} on a close`, frame("", { ...CLOSE, reserved })] as const,
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) =>
    [`opcode ${opcode} without payload`, frame("", { opcode })] as const
  ),
].map(([name, bytes]) => [`${name}, after a message`, {
  sent: [joined([frame(Q), bytes])],
  told: ["pong q", "close 1002"],
  closes: true,
}]));

const PIECES: Readonly<Record<string, Case>> = {
  "two pieces": { sent: pieces(Q, 20), told: ["pong q", BYE] },
  "a piece for each byte": { sent: pieces(Q, 1), told: ["pong q", BYE] },
  "a piece for each byte, in one write": { sent: [joined(pieces(Q, 1))], told: ["pong q", BYE] },
  "pieces, byte by byte": { sent: pieces(Q, 20).flatMap(chopped), told: ["pong q", BYE] },
  "empty pieces around a whole message": {
    sent: [frame("", OPEN), frame(Q, { ...MORE, ...OPEN }), frame("", MORE)],
    told: ["pong q", BYE],
  },
  "nothing but empty pieces": {
    sent: [frame("", OPEN), frame("", { ...MORE, ...OPEN }), frame("", MORE)],
    told: [NO_FRAME, BYE],
  },
  "a ping between pieces, answered at once": {
    sent: between(pieces(Q, 10), frame("between", PING)),
    told: [...repeat('pong "between"', 3), "pong q", BYE],
  },
  "a pong between pieces": { sent: between(pieces(Q, 10), frame("x", PONG)), told: ["pong q", BYE] },
  "a ping between pieces, all in one write": {
    sent: [joined(between(pieces(Q, 20), frame("between", PING)))],
    told: ['pong "between"', "pong q", BYE],
  },
  "binary in pieces, which is no message of ours": {
    sent: [...pieces(Q, 10, BINARY), frame(Q)],
    told: [NO_FRAME, "pong q", BYE],
  },
  "a further piece of a message that is over": {
    sent: [...pieces(Q, 20), frame("x", MORE)],
    told: ["pong q", "close 1002"],
    closes: true,
  },
  "a further piece of no message, not the last": {
    sent: [frame("x", { ...MORE, ...OPEN })],
    told: ["close 1002"],
    closes: true,
  },
  "a binary message begun within one of text": {
    sent: [frame("x", OPEN), frame("x", BINARY)],
    told: ["close 1002"],
    closes: true,
  },
  "a close between pieces": { sent: [frame("x", OPEN), closeOf(1000)], told: [BYE], closes: true },
  "pieces of 65,536 bytes together": { sent: pieces(question(LIMIT), 1_024), told: ["pong q", BYE] },
  "pieces of 65,537 bytes together": {
    sent: [...pieces(question(LIMIT), 1_024).slice(0, -1), header({ ...MORE, length: 1_025 })],
    told: ["close 1009"],
    closes: true,
  },
};

const WELL_FORMED: Readonly<Record<string, string>> = {
  "Greek": "κόσμε",
  "the last of one byte (U+007F)": "\u007f",
  "the first of two bytes (U+0080)": "\u0080",
  "the last of two bytes (U+07FF)": "\u07ff",
  "the first of three bytes (U+0800)": "\u0800",
  "the last before the surrogates (U+D7FF)": "\ud7ff",
  "the first after the surrogates (U+E000)": "\ue000",
  "the replacement character (U+FFFD)": "\ufffd",
  "a noncharacter (U+FFFE)": "\ufffe",
  "the last of three bytes (U+FFFF)": "\uffff",
  "the first of four bytes (U+10000)": "\u{10000}",
  "a noncharacter of four bytes (U+1FFFE)": "\u{1fffe}",
  "the last of all (U+10FFFF)": "\u{10ffff}",
};

const ILL_FORMED: Readonly<Record<string, readonly number[]>> = {
  "the first continuation byte": [0x80],
  "the last continuation byte": [0xbf],
  "two continuation bytes": [0x80, 0xbf],
  "a beginning of two without a continuation": [0xc3, 0x28],
  "a beginning of three with one continuation": [0xe2, 0x82, 0x28],
  "a beginning of four with two continuations": [0xf0, 0x90, 0x80, 0x28],
  "a sequence of five bytes": [0xf8, 0x88, 0x80, 0x80, 0x80],
  "a sequence of six bytes": [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80],
  "byte FE": [0xfe],
  "byte FF": [0xff],
  "an overlong NUL of two bytes": [0xc0, 0x80],
  "an overlong slash of three bytes": [0xe0, 0x80, 0xaf],
  "an overlong slash of four bytes": [0xf0, 0x80, 0x80, 0xaf],
  "the greatest overlong of two bytes": [0xc1, 0xbf],
  "the greatest overlong of three bytes": [0xe0, 0x9f, 0xbf],
  "the greatest overlong of four bytes": [0xf0, 0x8f, 0xbf, 0xbf],
  "the first surrogate": [0xed, 0xa0, 0x80],
  "the last surrogate": [0xed, 0xbf, 0xbf],
  "two surrogates that would be a pair": [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  "one beyond the last code point": [0xf4, 0x90, 0x80, 0x80],
};

const named = (id: string): Uint8Array => utf8(`{"type":"ping","id":"${id}"}`);
const broken = (bytes: readonly number[]): Uint8Array =>
  joined([utf8('{"type":"ping","id":"'), new Uint8Array(bytes), utf8('"}')]);

const UTF_8: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    Object.entries(WELL_FORMED).flatMap(([name, id]) => [
      [name, { sent: [frame(named(id))], told: [`pong ${id}`, BYE] }],
      [`${name}, split at each byte`, { sent: [joined(pieces(named(id), 1))], told: [`pong ${id}`, BYE] }],
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(ILL_FORMED).flatMap(([name, bytes]): [string, Case][] => [
      [name, { sent: [frame(broken(bytes))], told: ["close 1007"], closes: true }],
      [`${name}, split at each byte`, {
        sent: [joined(pieces(broken(bytes), 1))],
        told: ["close 1007"],
        closes: true,
      }],
    ]),
  ),
  "a sequence that ends with the message": {
    sent: [frame(new Uint8Array([0x22, 0xce, 0xba, 0xe1, 0xbd]))],
    told: ["close 1007"],
    closes: true,
  },
  "a sequence that ends with the last piece": {
    sent: [frame(new Uint8Array([0x22, 0xce, 0xba]), OPEN), frame(new Uint8Array([0xe1, 0xbd]), MORE)],
    told: ["close 1007"],
    closes: true,
  },
  "a message that is none is not answered before it is whole, and then by its code": {
    sent: [frame(new Uint8Array([0xff]), OPEN), frame("p", PING), frame("", MORE)],
    told: ['pong "p"', "close 1007"],
    closes: true,
  },
};

const CLOSES: Readonly<Record<string, Case>> = {
  "without a code": { sent: [frame("", CLOSE)], told: ["close"], closes: true },
  ...Object.fromEntries(
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map(
      (code) => [`with code ${code}`, { sent: [closeOf(code)], told: [`close ${code}`], closes: true }],
    ),
  ),
  ...Object.fromEntries([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) => [
    `with code ${code}, which is none to be sent, and a reason`,
    { sent: [closeOf(code, "because")], told: ["close 1002"], closes: true },
  ])),
  "with a reason": { sent: [closeOf(1000, "Goodbye: κόσμε")], told: [BYE], closes: true },
  "with a reason of 123 bytes": { sent: [closeOf(1000, "x".repeat(123))], told: [BYE], closes: true },
  "with a reason of 124 bytes": {
    sent: [header({ ...CLOSE, length: 126 })],
    told: ["close 1002"],
    closes: true,
  },
  "with a reason that is not UTF-8": {
    sent: [closeOf(1000, new Uint8Array([0xce, 0xba, 0xed, 0xa0, 0x80]))],
    told: ["close 1007"],
    closes: true,
  },
  "of one byte": { sent: [frame("x", CLOSE)], told: ["close 1002"], closes: true },
  "byte by byte": { sent: chopped(closeOf(1000)), told: [BYE], closes: true },
  "twice": { sent: [joined([closeOf(1000), closeOf(1001)])], told: [BYE], closes: true },
  "and a message after it": { sent: [joined([closeOf(1000), frame(Q)])], told: [BYE], closes: true },
  "and a ping after it": { sent: [joined([closeOf(1000), frame("p", PING)])], told: [BYE], closes: true },
  "and bytes after it that are no frame": {
    sent: [joined([closeOf(1000), repeated(new Uint8Array([0xff]), 1_000)])],
    told: [BYE],
    closes: true,
  },
  "after a message, which is answered": {
    sent: [joined([frame(Q), closeOf(3000)])],
    told: ["pong q", "close 3000"],
    closes: true,
  },
};

function slices(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from(
    { length: Math.ceil(bytes.length / size) },
    (_, i) => bytes.slice(i * size, (i + 1) * size),
  );
}

function between(parts: readonly Uint8Array[], one: Uint8Array): Uint8Array[] {
  return parts.flatMap((part, i) => i === 0 ? [part] : [one, part]);
}

function repeat(text: string, times: number): string[] {
  return new Array<string>(times).fill(text);
}

/** Says all of it, and what came back after the welcome, up to the end of the connection, which the server brings about. */
async function converse(port: number, { sent, closes }: Case): Promise<readonly string[]> {
  using peer = await RawPeer.connect(port);
  peer.connection.setNoDelay(true);
  const told: string[] = [];
  const heard = (async () => {
    for (let one = await peer.next(); one !== undefined; one = await peer.next()) {
      told.push(described(one));
      if (one.opcode === OPCODES.close) await peer.send(frame("", CLOSE)).catch(() => {}); // it may be gone by now
    }
  })();
  for (const bytes of [...sent, ...(closes ? [] : [closeOf(1000)])]) {
    await peer.send(bytes).catch(() => {}); // it may have been hung up on
  }
  await heard;
  const [first, ...rest] = told;
  assertEquals(first?.split(" ")[0], "welcome");
  return rest;
}

function described({ opcode, payload }: RawFrame): string {
  if (opcode === OPCODES.close) {
    return payload.length === 0 ? "close" : `close ${new DataView(payload.buffer).getUint16(0)}`;
  }
  if (opcode === OPCODES.pong) {
    const text = new TextDecoder().decode(payload);
    return `pong ${text.includes("\ufffd") ? payload.toHex() : JSON.stringify(text)}`;
  }
  const { type, id, error }: { type: string; id: string; error?: { code: string } } = JSON.parse(
    new TextDecoder().decode(payload),
  );
  return `${type} ${error?.code ?? id}`;
}

const ALL = {
  "RFC 6455, frames of every length": FRAMING,
  "RFC 6455, pings and pongs": CONTROL,
  "RFC 6455, what is reserved": BREACHES,
  "RFC 6455, messages in pieces": PIECES,
  "RFC 6455, text is UTF-8": UTF_8,
  "RFC 6455, closes": CLOSES,
} as const;

for (const [name, cases] of Object.entries(ALL)) {
  Deno.test(name, async (t) => {
    await using live = await LiveGateway.start({ MESSAGES_BURST: "1000" });
    for (const [name, one] of Object.entries(cases)) {
      await t.step(name, async () => assertEquals(await converse(live.port, one), one.told));
    }
    assertEquals(live.incidents, []);
  });
}
