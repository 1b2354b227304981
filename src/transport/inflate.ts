import { Buffer } from "node:buffer";
import { constants, inflateRawSync } from "node:zlib";
import type { WebSocket } from "ws";
import { concat } from "../protocol/codec.ts";

/** What `ws` asks to inflate a message, piece by piece; it wants its answer later. */
type Decompress = (
  data: Uint8Array,
  isLast: boolean,
  done: (error: null, data: Uint8Array) => void,
) => void;

/** What a deflated message is to be ended with before it is inflated (RFC 7692 §7.2.2). */
const TAIL = new Uint8Array([0, 0, 0xff, 0xff]);
const NOTHING = Buffer.of();
/** No UTF-8, for which `ws` closes a text message with 1007; and no CBOR. */
const NO_DATA = Buffer.of(0xff);

/** Whether compression was agreed on with this peer. */
export function isCompressing(ws: WebSocket): boolean {
  return ws.extensions.includes("permessage-deflate");
}

/**
 * Has the compressed messages of a peer inflated when they are whole, each by itself (`client_no_context_takeover`), to
 * `maxBytes` at most. `ws` would keep an inflater for each connection that ever sent one, 30 KB where an idle connection costs 7; and
 * with Deno's zlib what is no deflated data has it throw where nobody catches it. False where it is another `ws` than we know.
 */
export function inflateAtOnce(ws: WebSocket, maxBytes: number): boolean {
  const extension = extensionOf(ws);
  if (extension === undefined) return false;
  let pieces: Uint8Array[] = [];
  extension.decompress = (data, isLast, done) => {
    // `ws` counts them and what is in them, and never goes on before it was answered.
    pieces.push(data);
    const inflated = isLast ? inflate(pieces, maxBytes) : NOTHING;
    if (isLast) pieces = [];
    queueMicrotask(() => done(null, inflated));
  };
  return true;
}

/** Of a message that would be larger than `maxBytes`: as many bytes as `ws` refuses with 1009. */
function inflate(pieces: readonly Uint8Array[], maxBytes: number): Uint8Array {
  try {
    return inflateRawSync(concat([...pieces, TAIL]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: maxBytes,
    });
  } catch (error) {
    const isTooLarge = error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
    return isTooLarge ? Buffer.alloc(maxBytes + 1) : NO_DATA;
  }
}

/** The extension of a socket that has one, which is none of what `ws` promises: a test holds it to that. */
function extensionOf(ws: WebSocket): { decompress: Decompress } | undefined {
  const { _extensions: extensions } = ws as { _extensions?: Readonly<Record<string, unknown>> };
  const extension = extensions?.["permessage-deflate"];
  return hasDecompress(extension) ? extension : undefined;
}

function hasDecompress(value: unknown): value is { decompress: Decompress } {
  return typeof value === "object" && value !== null && "decompress" in value &&
    typeof value.decompress === "function";
}
