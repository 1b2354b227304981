import type { ServerFrame } from "./server_frames.ts";

const encoder = new TextEncoder();

/** A frame as JSON, encoded once whoever watches, and what a codec that wraps it may want to know of it. */
export type Payload = {
  readonly bytes: Uint8Array;
  readonly type: ServerFrame["type"];
  /** The position from which whoever has this frame, and those before it, could resume; undefined where none is known. */
  readonly cursor: number | undefined;
};

/**
 * How frames become what a socket takes. `encode` turns a frame into payload bytes, once whoever watches;
 * `pack` turns the payloads of one flush into bytes ready for the socket, headers included.
 */
export interface Codec {
  readonly name: CodecName | "sse";
  /** The payload of one frame. Codecs with the same `payload` name share these bytes. */
  encode(frame: ServerFrame): Uint8Array;
  /** `payloads`, in order, as one buffer for the socket; `nowMs` stamps an enclosing frame, if there is one. */
  pack(payloads: readonly Payload[], nowMs: number): Uint8Array;
}

/** On WebSockets. `json`: one text message a frame, as the seed has it. `json-batch`: several frames may share a `batch` frame. */
export type CodecName = "json" | "json-batch";

/** JSON of a frame, as bytes. */
export function encodeJson(frame: ServerFrame): Uint8Array {
  return encoder.encode(JSON.stringify(frame));
}

/** One text message a frame. */
export const json: Codec = {
  name: "json",
  encode: encodeJson,
  pack(payloads) {
    let length = 0;
    for (const { bytes } of payloads) length += headerBytes(bytes.length) + bytes.length;
    const out = new Uint8Array(length);
    let at = 0;
    for (const { bytes } of payloads) at = writeMessage(out, at, bytes);
    return out;
  },
};

const COMMA = encoder.encode(",");
const TAIL = encoder.encode("]}}");

/** Several frames of one flush ride in one `batch` frame; a single frame goes as it is. */
export const jsonBatch: Codec = {
  name: "json-batch",
  encode: encodeJson,
  pack(payloads, nowMs) {
    if (payloads.length < 2) return json.pack(payloads, nowMs);
    const head = `{"type":"batch","id":"batch_${nowMs}","timestamp":${nowMs},"data":{"frames":[`;
    const parts: Uint8Array[] = [encoder.encode(head)];
    payloads.forEach(({ bytes }, i) => parts.push(...(i === 0 ? [bytes] : [COMMA, bytes])));
    parts.push(TAIL);
    const message = concat(parts);
    const out = new Uint8Array(headerBytes(message.length) + message.length);
    writeMessage(out, 0, message);
    return out;
  },
};

/** The WebSocket codec of that name. */
export const CODECS: Readonly<Record<CodecName, Codec>> = { "json": json, "json-batch": jsonBatch };

/** These parts as one. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function headerBytes(payloadBytes: number): number {
  return payloadBytes < 126 ? 2 : payloadBytes < 65536 ? 4 : 10;
}

/** Writes one unmasked, final text message (RFC 6455 §5.2) at `at`; returns where the next one starts. */
function writeMessage(out: Uint8Array, at: number, payload: Uint8Array): number {
  const length = payload.length;
  out[at] = 0x81;
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
  out.set(payload, body);
  return body + length;
}
