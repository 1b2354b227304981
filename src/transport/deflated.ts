import { constants, deflateRawSync } from "node:zlib";
import type { Codec, MessageCodec } from "../protocol/codec.ts";
import { framed, type Message } from "../protocol/websocket_message.ts";

/** The window of what is deflated here: 4 KiB, which is what many clients ask for, and packs batches as tight as 32 KiB do. */
export const WINDOW_BITS = 12;
/** Smaller messages go as they are: of a single frame of progress 80 bytes would be saved at 30 µs. */
const LEAST_BYTES = 512;
/** Larger ones are deflated in a hurry, at 4 ms a MiB instead of 8: everybody waits meanwhile. */
const LARGE_BYTES = 262_144;
/** What a flushed deflate stream ends with, and a message leaves out (RFC 7692 §7.2.1). */
const TAIL_BYTES = 4;

/**
 * What was deflated of bytes that are the frame of an event: those who get it alone, in audiences of their own, share it. It stays
 * for as long as the frame does, whose weight counts three bytes for each.
 */
const known = new WeakMap<Uint8Array, Uint8Array>();

/**
 * The same messages, compressed (permessage-deflate). Nothing of one message is needed for the next
 * (`server_no_context_takeover`), so that a compressed one is a value that any number of connections can be sent.
 */
export function deflated(codec: MessageCodec): Codec {
  const made = codecs.get(codec) ?? {
    ...codec,
    name: `${codec.name} deflate`,
    pack: (payloads, nowMs) => framed(codec.messages(payloads, nowMs).map(compressed)),
  };
  codecs.set(codec, made);
  return made;
}

/** Connections have them by the thousand. */
const codecs = new WeakMap<MessageCodec, Codec>();

function compressed(message: Message): Message {
  const { bytes, binary } = message;
  if (bytes.length < LEAST_BYTES) return message;
  const before = known.get(bytes);
  const after = before ?? deflate(bytes);
  if (before === undefined) known.set(bytes, after);
  return after.length < bytes.length ? { bytes: after, binary, deflated: true } : message;
}

function deflate(bytes: Uint8Array): Uint8Array {
  const flushed = deflateRawSync(bytes, {
    windowBits: WINDOW_BITS,
    level: bytes.length > LARGE_BYTES ? 1 : 6,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  // A copy: what zlib gives lies in a buffer of 16 KiB.
  return new Uint8Array(flushed.subarray(0, -TAIL_BYTES));
}
