import { arrayHead, encodeCbor } from "./cbor.ts";
import { inSeedTypes } from "./seed_types.ts";
import type { ServerFrame } from "./server_frames.ts";
import { framed, type Message } from "./websocket_message.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A frame as JSON, encoded once whoever watches, and what a codec that wraps it may want to know of it. */
export type Payload = {
  readonly bytes: Uint8Array;
  readonly type: ServerFrame["type"];
  /** The position from which whoever has this frame, and those before it, could resume; undefined where none is known. */
  readonly cursor: number | undefined;
};

/** How frames become what a socket takes: `pack` turns the payloads of one flush into bytes ready for it, headers included. */
export interface Codec {
  /** Codecs of the same name make the same bytes of the same payloads. */
  readonly name: string;
  /** Whether it speaks in binary messages, and is spoken to in them. Default: it does not. */
  readonly isBinary?: boolean;
  /** Whether progress is told by what changed of it, where that will do. Default: it is told whole. */
  readonly hasDeltas?: boolean;
  /** `payloads`, in order, as one buffer for the socket; `nowMs` stamps an enclosing frame, if there is one. */
  pack(payloads: readonly Payload[], nowMs: number): Uint8Array;
}

/** A codec of WebSockets, which says what messages it packs. */
export interface MessageCodec extends Codec {
  /** `payloads`, in order, as messages. */
  messages(payloads: readonly Payload[], nowMs: number): readonly Message[];
}

/**
 * On WebSockets. `json`: one text message a frame, in the seed's types. `json-batch`: several frames may share a `batch` frame.
 * `cbor`: the same in binary messages of CBOR.
 */
export type CodecName = "json" | "json-batch" | "cbor";

/** JSON of a frame, as bytes. */
export function encodeJson(frame: ServerFrame): Uint8Array {
  return encoder.encode(JSON.stringify(frame));
}

/** One text message a frame, in the types of the seed: for who agreed on nothing that is ours. */
export const json: MessageCodec = codecOf(
  "json",
  (payloads) =>
    payloads.map(({ bytes, type }) => text(type === "task_progress" ? inSeedTypes(bytes) : bytes)),
);

const oneEach: MessageCodec["messages"] = (payloads) => payloads.map(({ bytes }) => text(bytes));

const COMMA = encoder.encode(",");
const TAIL = encoder.encode("]}}");

/** Several frames of one flush ride in one `batch` frame; a single frame goes as it is. */
export const jsonBatch: MessageCodec = codecOf("json-batch", (payloads, nowMs) => {
  if (payloads.length < 2) return oneEach(payloads, nowMs);
  const head = `{"type":"batch","id":"batch_${nowMs}","timestamp":${nowMs},"data":{"frames":[`;
  const parts: Uint8Array[] = [encoder.encode(head)];
  payloads.forEach(({ bytes }, i) => parts.push(...(i === 0 ? [bytes] : [COMMA, bytes])));
  parts.push(TAIL);
  return [text(concat(parts))];
});

/** As `jsonBatch`, in CBOR. */
export const cbor: MessageCodec = {
  ...codecOf("cbor", (payloads, nowMs) => {
    const frames = payloads.map(({ bytes }) => cborOf(bytes));
    const message = frames.length === 1
      ? frames[0]
      : frames.length > 1
      ? cborBatch(frames, nowMs)
      : undefined;
    return message === undefined ? [] : [{ bytes: message, binary: true }];
  }),
  isBinary: true,
};

/** The WebSocket codec of that name. */
export const CODECS: Readonly<Record<CodecName, MessageCodec>> = { json, "json-batch": jsonBatch, cbor };

/** The same with deltas, for each of them; who asks for those knows that what is unknown is null. */
const WITH_DELTAS = new Map(
  Object.values(CODECS).map((codec): [MessageCodec, MessageCodec] => {
    const whole = codec === json ? codecOf("json", oneEach) : codec;
    return [codec, { ...whole, name: `${codec.name} delta`, hasDeltas: true }];
  }),
);

/** The same codec, with progress told by what changed of it. */
export function withDeltas(codec: MessageCodec): MessageCodec {
  return WITH_DELTAS.get(codec) ?? codec;
}

/** The CBOR of frames, by the bytes of their JSON: made once, whoever watches, and kept for as long as those are. */
const cborByJson = new WeakMap<Uint8Array, Uint8Array>();

/** A frame is what its JSON says: so it has the same members in CBOR. */
function cborOf(bytes: Uint8Array): Uint8Array {
  const known = cborByJson.get(bytes) ?? encodeCbor(JSON.parse(decoder.decode(bytes)));
  cborByJson.set(bytes, known);
  return known;
}

/** The frames stand at the end, where they go as they are. */
function cborBatch(frames: readonly Uint8Array[], nowMs: number): Uint8Array {
  const head = encodeCbor({ type: "batch", id: `batch_${nowMs}`, timestamp: nowMs, data: { frames: [] } });
  return concat([head.subarray(0, -1), arrayHead(frames.length), ...frames]);
}

function text(bytes: Uint8Array): Message {
  return { bytes, binary: false };
}

function codecOf(name: CodecName, messages: MessageCodec["messages"]): MessageCodec {
  return { name, messages, pack: (payloads, nowMs) => framed(messages(payloads, nowMs)) };
}

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
