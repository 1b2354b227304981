/**
 * What a hop over this runtime costs at the least: whatever NATS sends goes on to every client, unread, as one frame
 * written once a client. It has no state, no log and no topics. Argument: the NATS server's URL.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { answer } from "../line_commands.ts";

const ACCEPTS = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HELLO = 'CONNECT {"verbose":false,"pedantic":false}\r\nSUB taskwire.task.> 1\r\n';
const PING = "P".charCodeAt(0);

const [natsUrl = ""] = Deno.args;
const { hostname, port } = new URL(natsUrl);
const clients = new Set<Duplex>();

/** A frame of text around `bytes` (RFC 6455 §5.2). A read has 64 KiB at the most, so that its length fits. */
function framed(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  const head = length < 126
    ? [0x81, length]
    : length < 65_536
    ? [0x81, 126, length >> 8, length & 255]
    : [0x81, 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255];
  const frame = new Uint8Array(head.length + length);
  frame.set(head);
  frame.set(bytes, head.length);
  return frame;
}

const nats = connect({ host: hostname, port: Number(port), noDelay: true });
nats.write(HELLO);
nats.on("data", (bytes: Uint8Array) => {
  if (bytes[0] === PING) nats.write("PONG\r\n");
  const frame = framed(bytes);
  for (const client of clients) client.write(frame);
});

const server = createServer();
server.on("upgrade", ({ headers }, client) => {
  const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}${ACCEPTS}`).digest("base64");
  client.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  clients.add(client);
  client.on("data", () => {}); // whatever they say
  const gone = () => clients.delete(client);
  client.on("error", gone).on("close", gone);
});
server.listen({ host: "127.0.0.1", port: 0 }, () => {
  // A server on TCP has an address with a port.
  answer({ port: (server.address() as AddressInfo).port });
});
