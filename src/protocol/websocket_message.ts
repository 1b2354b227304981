/** One message of a WebSocket, before its header. */
export type Message = {
  readonly bytes: Uint8Array;
  readonly binary: boolean;
  /** Whether `bytes` were deflated (RFC 7692). Default: they were not. */
  readonly deflated?: boolean;
};

/** Messages as a server sends them: unmasked and in one piece each (RFC 6455 §5.2), in one buffer for the socket. */
export function framed(messages: readonly Message[]): Uint8Array {
  let length = 0;
  for (const { bytes } of messages) length += headerBytes(bytes.length) + bytes.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const message of messages) at = writeMessage(out, at, message);
  return out;
}

const FINAL = 0x80;
const DEFLATED = 0x40;
const TEXT = 0x1;
const BINARY = 0x2;

function headerBytes(payloadBytes: number): number {
  return payloadBytes < 126 ? 2 : payloadBytes < 65536 ? 4 : 10;
}

/** Writes one message at `at`; returns where the next one starts. */
function writeMessage(out: Uint8Array, at: number, { bytes, binary, deflated = false }: Message): number {
  const length = bytes.length;
  out[at] = FINAL | (deflated ? DEFLATED : 0) | (binary ? BINARY : TEXT);
  if (length < 126) {
    out[at + 1] = length;
  } else if (length < 65536) {
    out[at + 1] = 126;
    out[at + 2] = length >>> 8;
    out[at + 3] = length & 0xff;
  } else {
    out[at + 1] = 127;
    new DataView(out.buffer, out.byteOffset).setBigUint64(at + 2, BigInt(length));
  }
  const body = at + headerBytes(length);
  out.set(bytes, body);
  return body + length;
}
