import { type Codec, concat, type Payload } from "./codec.ts";

const encoder = new TextEncoder();
const END = encoder.encode("\n\n");

/** A comment: keeps proxies from taking a quiet stream for a dead one, and tells of a peer that is gone. */
export const HEARTBEAT: Uint8Array = encoder.encode(":\n\n");

/**
 * Frames as Server-Sent Events, one each: `event:` its type, `data:` its JSON, and where it has a cursor `id:` with
 * `<epoch>:<seq>`. `epoch` tells the one that the positions being packed belong to.
 */
export function sseCodec(epoch: () => string): Codec {
  return {
    name: "sse",
    pack(payloads) {
      const parts: Uint8Array[] = [];
      for (const payload of payloads) parts.push(encoder.encode(headOf(payload, epoch)), payload.bytes, END);
      return concat(parts);
    },
  };
}

/** JSON has no line breaks: it is one line of `data`. */
function headOf({ type, cursor }: Payload, epoch: () => string): string {
  const id = cursor === undefined ? "" : `id: ${epoch()}:${cursor}\n`;
  return `event: ${type}\n${id}data: `;
}

/** What a stream begins with: after how many ms to come back when it was lost. */
export function retryLine(retryMs: number): Uint8Array {
  return encoder.encode(`retry: ${retryMs}\n\n`);
}

/** What a stream ends with: a row of the close table. */
export function closeEvent(code: number, reason: string): Uint8Array {
  return encoder.encode(`event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`);
}
