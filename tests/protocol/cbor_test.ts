import { assert, assertEquals, assertThrows } from "@std/assert";
import { decode, encode } from "cborg";
import * as fc from "fast-check";
import { arrayHead, decodeCbor, encodeCbor } from "../../src/protocol/cbor.ts";

/** A value as JSON has it after a round trip. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Values of JSON, of every kind of number and text, and keys that objects have already. */
const values = fc.jsonValue({ maxDepth: 6 }).chain((value) =>
  fc.record({
    value: fc.constant(value),
    number: fc.oneof(
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.float({ noNaN: true, noDefaultInfinity: true }),
    ),
    text: fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 300 }),
      fc.string({ unit: "binary-ascii", maxLength: 300 }),
    ),
    members: fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom("constructor", "toString")),
      fc.integer(),
    ),
  })
);

/** Bytes as hexadecimal digits. */
const hex = (digits: string): Uint8Array =>
  Uint8Array.from(digits.match(/../g) ?? [], (byte) => parseInt(byte, 16));

Deno.test("a value of JSON comes back as it was, and others read and write it likewise", () => {
  fc.assert(
    fc.property(values, (value) => {
      const plain = asJson(value);
      const bytes = encodeCbor(plain);
      assertEquals(JSON.stringify(decodeCbor(bytes)), JSON.stringify(plain));
      assertEquals(decode(bytes), plain);
      assertEquals(decodeCbor(encode(plain)), plain);
    }),
    { numRuns: 300 },
  );
});

/** The same as another program writes it, whose buffers may be Node's. */
const byOther = (value: unknown): Uint8Array => new Uint8Array(encode(value));

Deno.test("heads are as short as they can be, at every length", () => {
  for (const length of [0, 23, 24, 255, 256, 65_535, 65_536]) {
    for (const text of ["x".repeat(length), "é".repeat(length >> 1), "数".repeat(length)]) {
      assertEquals(encodeCbor(text), byOther(text));
    }
    assertEquals(encodeCbor(length), byOther(length));
    assertEquals(encodeCbor(-1 - length), byOther(-1 - length));
    assertEquals(arrayHead(length), byOther(new Array(length).fill(0)).subarray(0, arrayHead(length).length));
  }
  for (
    const number of [2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 1.1, -1e300]
  ) {
    assertEquals(encodeCbor(number), byOther(number));
  }
  assertEquals([encodeCbor(1.5).length, encodeCbor(1.1).length], [5, 9]);
});

Deno.test("what JSON leaves out is left out, and what it has as null is null", () => {
  const value = { a: undefined, b: [undefined, NaN, Infinity], c: () => 1 };
  assertEquals(decodeCbor(encodeCbor({ ...value, c: undefined })), asJson(value));
  assertEquals(decodeCbor(hex("a26161f76162f6")), { b: null });
  assertEquals(decodeCbor(hex("82f7f5")), [null, true]);
});

Deno.test("other ways to write the same are read: of any length, in pieces, in half precision", () => {
  assertEquals(decodeCbor(hex("9f01820203ff")), [1, [2, 3]]);
  assertEquals(decodeCbor(hex("bf6161017f6162616362ffff".replace("7f6162616362ff", "6162f5"))), {
    a: 1,
    b: true,
  });
  assertEquals(decodeCbor(hex("7f657374726561646d696e67ff")), "streaming");
  assertEquals([hex("f93e00"), hex("f9c400"), hex("f90001")].map(decodeCbor), [1.5, -4, 2 ** -24]);
  assertEquals([hex("1b0000000000000001"), hex("1900ff"), hex("3903e7")].map(decodeCbor), [1, 255, -1_000]);
});

Deno.test("what is no value of JSON is refused: bytes, tags, no numbers, no texts, too little or too much", () => {
  const wrong = [
    "",
    "41ff",
    "c11a514b67b0",
    "f97e00",
    "f97c00",
    "fb7ff0000000000000",
    "61ff",
    "a10102",
    "a1616101ff",
    "0101",
    "18",
    "1c",
    "5f41ffff",
    "7f01ff",
    "ff",
    "9f",
    "bf6161",
    "8201",
    "a16161",
    "f818",
    "9bffffffffffffffff",
    "7bffffffffffffffff61",
  ];
  for (const digits of wrong) {
    assertThrows(() => decodeCbor(hex(digits)), SyntaxError, "Cannot read CBOR");
  }
});

Deno.test("what nests too deep is refused before there is no stack left", () => {
  const nested = (depth: number, byte: number) => new Uint8Array([...new Uint8Array(depth).fill(byte), 0xf6]);
  assertEquals(JSON.stringify(decodeCbor(nested(128, 0x81))).length, 2 * 128 + 4);
  for (const byte of [0x81, 0x9f]) {
    assertThrows(() => decodeCbor(nested(129, byte)), SyntaxError, "nests more than 128 deep");
    assertThrows(() => decodeCbor(nested(60_000, byte)), SyntaxError, "nests more than 128 deep");
  }
});

Deno.test("a member named as what objects have already is a member and nothing else", () => {
  const read = decodeCbor(
    encodeCbor(JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"x":1}}}')),
  );
  assert(typeof read === "object" && read !== null);
  assertEquals([Object.getPrototypeOf(read) === Object.prototype, "polluted" in read], [true, false]);
  assertEquals(Object.keys(read), ["__proto__", "constructor"]);
});

Deno.test("whatever the bytes are, they are read or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        JSON.stringify(decodeCbor(bytes));
      } catch (error) {
        assert(error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: 3_000 },
  );
});
