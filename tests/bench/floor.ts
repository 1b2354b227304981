/**
 * The floor: what the kernel alone allows. Takes the connections it is told to, then writes one ready frame to each,
 * round after round, and does nothing else. Arguments: connections, bytes of payload, frames a write.
 */
import { accepted, type Fd, listening, read, send, sendAll } from "./libc.ts";
import { answer } from "./line_commands.ts";

/** The accept value of the key that the receiver always offers. */
const UPGRADED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

function greeted(listener: Fd): Fd {
  const fd = accepted(listener);
  const request = new Uint8Array(4_096);
  read(fd, request);
  sendAll(fd, new TextEncoder().encode(UPGRADED));
  return fd;
}

function framesOf(payloadBytes: number, count: number): Uint8Array<ArrayBuffer> {
  const head = payloadBytes < 126 ? [0x81, payloadBytes] : [0x81, 126, payloadBytes >> 8, payloadBytes & 255];
  const frame = new Uint8Array(head.length + payloadBytes).fill("x".charCodeAt(0));
  frame.set(head);
  const all = new Uint8Array(frame.length * count);
  for (let i = 0; i < count; i++) all.set(frame, i * frame.length);
  return all;
}

const [connections = 0, payloadBytes = 0, framesAWrite = 1] = Deno.args.map(Number);
const frames = framesOf(payloadBytes, framesAWrite);
const { fd: listener, port } = listening();
answer({ port });
const fds = new Int32Array(connections);
for (let i = 0; i < connections; i++) fds[i] = greeted(listener);
for (;;) {
  for (const fd of fds) {
    const sent = send(fd, frames);
    // A frame that was begun has to be finished; one for which there is no room is left out.
    if (sent > 0 && sent < frames.length) sendAll(fd, frames.subarray(sent));
  }
}
