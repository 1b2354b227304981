import { CborReader } from "./cbor_reader.ts";

/** Deeper than this nothing is read: a message of a few KB could nest so deep that reading it has no stack left. */
const MAX_DEPTH = 128;
const MAX_TEXT_HEAD = 5;
const FIRST_BYTES = 4_096;
/** Texts of so many characters are written without an encoder, in a tenth of the time. */
const SHORT_CHARACTERS = 64;
const encoder = new TextEncoder();

/** What is being written; it grows, and is used again. */
let out = new Uint8Array(FIRST_BYTES);
let view = new DataView(out.buffer);
let at = 0;

/**
 * A value of JSON as CBOR (RFC 8949), each number and length in the fewest bytes. What JSON does not have is left out, or null, as
 * `JSON.stringify` has it.
 */
export function encodeCbor(value: unknown): Uint8Array {
  at = 0;
  write(value);
  return out.slice(0, at);
}

/** The beginning of an array of so many elements, which follow. */
export function arrayHead(length: number): Uint8Array {
  at = 0;
  writeHead(4, length);
  return out.slice(0, at);
}

/**
 * Reads a value of JSON from CBOR. Throws a SyntaxError where the bytes are no CBOR, nest too deep, or have what JSON does not:
 * bytes, tags, numbers that are none. As `JSON.parse`, it lets the last of equal keys win, and no key be more than a member.
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  return new CborReader(bytes, MAX_DEPTH).whole();
}

function write(value: unknown): void {
  switch (typeof value) {
    case "string":
      return writeText(value);
    case "number":
      return writeNumber(value);
    case "boolean":
      return writeByte(value ? 0xf5 : 0xf4);
    case "object":
      if (value === null) return writeByte(0xf6);
      if (Array.isArray(value)) {
        writeHead(4, value.length);
        for (const element of value) write(element);
        return;
      }
      return writeMap(value);
    default:
      return writeByte(0xf6);
  }
}

function writeMap(value: object): void {
  const members: Readonly<Record<string, unknown>> = { ...value };
  const keys = Object.keys(members).filter((key) => members[key] !== undefined);
  writeHead(5, keys.length);
  for (const key of keys) {
    writeText(key);
    write(members[key]);
  }
}

function writeNumber(value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    return value >= 0 ? writeHead(0, value) : writeHead(1, -1 - value);
  }
  if (!Number.isFinite(value)) return writeByte(0xf6);
  room(9);
  if (Math.fround(value) === value) {
    out[at] = 0xfa;
    view.setFloat32(at + 1, value);
    at += 5;
  } else {
    out[at] = 0xfb;
    view.setFloat64(at + 1, value);
    at += 9;
  }
}

/** Most texts are ASCII: room is left for the head of as many bytes as it has characters; where there are more, it is moved. */
function writeText(text: string): void {
  room(MAX_TEXT_HEAD + 3 * text.length);
  if (text.length <= SHORT_CHARACTERS && writeAscii(text)) return;
  const start = at;
  const guess = headBytes(text.length);
  const { written } = encoder.encodeInto(text, out.subarray(start + guess));
  const head = headBytes(written);
  if (head !== guess) out.copyWithin(start + head, start + guess, start + guess + written);
  writeHead(3, written);
  at += written;
}

/** Names of members, above all. False where it is no ASCII, and nothing is written. */
function writeAscii(text: string): boolean {
  const start = at;
  writeHead(3, text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) {
      at = start;
      return false;
    }
    out[at++] = code;
  }
  return true;
}

function headBytes(length: number): number {
  return length < 24 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : MAX_TEXT_HEAD;
}

function writeHead(major: number, length: number): void {
  room(9);
  const first = major << 5;
  if (length < 24) {
    out[at++] = first | length;
  } else if (length < 0x100) {
    out[at++] = first | 24;
    out[at++] = length;
  } else if (length < 0x10000) {
    out[at++] = first | 25;
    view.setUint16(at, length);
    at += 2;
  } else if (length < 0x100000000) {
    out[at++] = first | 26;
    view.setUint32(at, length);
    at += 4;
  } else {
    out[at++] = first | 27;
    view.setBigUint64(at, BigInt(length));
    at += 8;
  }
}

function writeByte(byte: number): void {
  room(1);
  out[at++] = byte;
}

function room(bytes: number): void {
  if (at + bytes <= out.length) return;
  const larger = new Uint8Array(Math.max(2 * out.length, at + bytes));
  larger.set(out.subarray(0, at));
  out = larger;
  view = new DataView(out.buffer);
}
