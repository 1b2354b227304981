const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Texts up to so many characters are read without a decoder where they are ASCII: names of members, above all. */
const SHORT_BYTES = 32;
const INDEFINITE = 31;
const BREAK = 0xff;
/** What stands for a member or element that is not there. */
const ABSENT = Symbol("absent");

/** Reads one value of JSON from CBOR; see `decodeCbor`. Recursive, as deep as it is told. */
export class CborReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #maxDepth: number;
  #at = 0;

  constructor(bytes: Uint8Array, maxDepth: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#maxDepth = maxDepth;
  }

  /** The value that the bytes are. */
  whole(): unknown {
    const value = this.#value(0);
    if (this.#at !== this.#bytes.length) throw broken("something follows the value");
    return value === ABSENT ? null : value;
  }

  #value(depth: number): unknown {
    if (depth > this.#maxDepth) throw broken(`it nests more than ${this.#maxDepth} deep`);
    const first = this.#byte();
    const info = first & 31;
    switch (first >> 5) {
      case 0:
        return this.#length(info);
      case 1:
        return -1 - this.#length(info);
      case 3:
        return this.#text(info);
      case 4:
        return this.#array(info, depth);
      case 5:
        return this.#map(info, depth);
      case 7:
        return this.#simple(info);
      default:
        throw broken("bytes and tags are not of JSON");
    }
  }

  #array(info: number, depth: number): unknown[] {
    const elements: unknown[] = [];
    for (const _ of this.#items(info)) {
      const element = this.#value(depth + 1);
      elements.push(element === ABSENT ? null : element);
    }
    return elements;
  }

  #map(info: number, depth: number): Record<string, unknown> {
    const members: Record<string, unknown> = {};
    for (const _ of this.#items(info)) {
      const first = this.#byte();
      if (first >> 5 !== 3) throw broken("a key is no text");
      const key = this.#text(first & 31);
      const value = this.#value(depth + 1);
      if (value === ABSENT) continue;
      if (key !== "__proto__") members[key] = value;
      else {Object.defineProperty(members, key, {
          value,
          enumerable: true,
          configurable: true,
          writable: true,
        });}
    }
    return members;
  }

  /** As many turns as there are items: what a head announces costs nothing before it is there. */
  *#items(info: number): Generator<void> {
    if (info !== INDEFINITE) {
      for (let left = this.#length(info); left > 0; left--) yield;
      return;
    }
    while (this.#bytes[this.#at] !== BREAK) yield;
    this.#at++;
  }

  #text(info: number): string {
    if (info !== INDEFINITE) return this.#piece(this.#length(info));
    let text = "";
    for (;;) {
      const first = this.#byte();
      if (first === BREAK) return text;
      if (first >> 5 !== 3 || (first & 31) === INDEFINITE) throw broken("a piece of a text is none");
      text += this.#piece(this.#length(first & 31));
    }
  }

  #piece(length: number): string {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw broken("it ends too early");
    const start = this.#at;
    this.#at = end;
    return (length <= SHORT_BYTES ? this.#ascii(start, end) : undefined) ??
      decoded(this.#bytes.subarray(start, end));
  }

  #ascii(start: number, end: number): string | undefined {
    let text = "";
    for (let i = start; i < end; i++) {
      const byte = this.#bytes[i] ?? BREAK;
      if (byte > 127) return undefined;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #simple(info: number): unknown {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 23:
        return ABSENT;
      case 25:
        return finite(half(this.#view.getUint16(this.#skip(2))));
      case 26:
        return finite(this.#view.getFloat32(this.#skip(4)));
      case 27:
        return finite(this.#view.getFloat64(this.#skip(8)));
      default:
        throw broken("it has a value that is not of JSON");
    }
  }

  #length(info: number): number {
    if (info < 24) return info;
    switch (info) {
      case 24:
        return this.#byte();
      case 25:
        return this.#view.getUint16(this.#skip(2));
      case 26:
        return this.#view.getUint32(this.#skip(4));
      case 27:
        return Number(this.#view.getBigUint64(this.#skip(8)));
      default:
        throw broken("it has a length that is none");
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw broken("it ends too early");
    this.#at++;
    return byte;
  }

  /** Where the next so many bytes begin. */
  #skip(bytes: number): number {
    const start = this.#at;
    if (start + bytes > this.#bytes.length) throw broken("it ends too early");
    this.#at += bytes;
    return start;
  }
}

function decoded(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw broken("a text is no UTF-8");
  }
}

/** A number of 16 bits (RFC 8949, appendix D). */
function half(bits: number): number {
  const exponent = bits >> 10 & 31;
  const mantissa = bits & 1_023;
  const value = exponent === 0
    ? mantissa * 2 ** -24
    : exponent === 31
    ? mantissa === 0 ? Infinity : NaN
    : (mantissa + 1_024) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -value : value;
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw broken("it has a number that is none");
  return value;
}

function broken(why: string): SyntaxError {
  return new SyntaxError(`Cannot read CBOR: ${why}`);
}
