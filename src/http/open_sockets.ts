import type { Server } from "node:http";
import type { Socket } from "node:net";
import { countedAddress, type Trusted } from "../transport/client_address.ts";
import { problemText } from "./problem.ts";

/** So many sockets may an address have open beside its connections: for requests, or idle. */
export const SPARE_SOCKETS = 256;

/** How many sockets an address may have open, whatever it does with them. */
export type SocketBound = {
  readonly max: number;
  /** Proxies that are trusted: theirs are of many clients, and not counted. */
  readonly trusted: Trusted | undefined;
  /** Told of each that was one too many. */
  readonly refused: () => void;
  /** Whether they speak TLS: then none can be told why before hands were shaken. Default: false. */
  readonly isTls?: boolean;
};

/**
 * Bounds the sockets that one address has open on `server`. Connections are counted when they have asked for something; who
 * only connects, or stays after an answer, would hold a file each and be counted nowhere.
 */
export function boundSockets(server: Server, { max, trusted, refused, isTls = false }: SocketBound): void {
  const byAddress = new Map<string, number>();
  server.on("connection", (socket) => {
    const { remoteAddress = "" } = socket;
    if (trusted?.has(remoteAddress) === true) return;
    const address = countedAddress({ remoteAddress, forwardedFor: undefined }, undefined);
    const count = byAddress.get(address) ?? 0;
    if (count >= max) {
      refused();
      return isTls ? void socket.destroy() : refuse(socket, max);
    }
    byAddress.set(address, count + 1);
    socket.once("close", () => {
      const left = (byAddress.get(address) ?? 1) - 1;
      if (left > 0) byAddress.set(address, left);
      else byAddress.delete(address);
    });
  });
}

/** Answers before anything was asked, and hangs up. */
function refuse(socket: Socket, max: number): void {
  const body = problemText({
    status: 429,
    code: "LIMIT_EXCEEDED",
    detail: `more than ${max} open sockets of this address`,
    details: { limit: "MAX_CONNECTIONS_PER_ADDRESS", max, retry_after_ms: 1_000 },
  });
  socket.on("error", () => {}); // a peer that resets is no news
  socket.once("finish", () => socket.destroy());
  socket.end(
    "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 1\r\n" +
      `Content-Type: application/problem+json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}
