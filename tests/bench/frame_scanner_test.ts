import { assertEquals } from "@std/assert";
import { FrameScanner } from "./frame_scanner.ts";

/** A server's frame with this payload. */
function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const head = length < 126
    ? [0x80 | opcode, length]
    : length < 65_536
    ? [0x80 | opcode, 126, length >> 8, length & 255]
    : [0x80 | opcode, 127, 0, 0, 0, 0, length >> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  return new Uint8Array([...head, ...payload]);
}

const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];
const PAYLOADS = SIZES.map((size, i) => new Uint8Array(size).fill(i + 1));
const STREAM = new Uint8Array([
  ...frame(1, PAYLOADS[1] ?? new Uint8Array()),
  ...frame(9, new Uint8Array([7])),
  ...PAYLOADS.flatMap((payload) => [...frame(2, payload)]),
]);

for (const cut of [1, 2, 3, 7, 1_000, 65_536, STREAM.length]) {
  Deno.test(`frames are counted and taken whole when they come ${cut} bytes at a time`, () => {
    const taken: number[] = [];
    const scanner = new FrameScanner((bytes, start, end) => {
      const payload = bytes.subarray(start, end);
      assertEquals(payload.every((byte) => byte === payload[0]), true);
      taken.push(payload.length);
    });
    for (let at = 0; at < STREAM.length; at += cut) {
      scanner.feed(STREAM, at, Math.min(STREAM.length, at + cut));
    }
    assertEquals(
      { frames: scanner.frames, pings: scanner.pings, latestBytes: scanner.latestBytes, taken },
      { frames: 1 + SIZES.length, pings: 1, latestBytes: 70_000, taken: [1, ...SIZES.slice(1)] },
    );
  });
}

Deno.test("a frame counts only when all of it has come", () => {
  const scanner = new FrameScanner();
  const bytes = frame(1, new Uint8Array(300));
  scanner.feed(bytes, 0, bytes.length - 1);
  assertEquals(scanner.frames, 0);
  scanner.feed(bytes, bytes.length - 1, bytes.length);
  assertEquals(scanner.frames, 1);
});
