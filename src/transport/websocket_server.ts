import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { Connection, type ConnectionCounts, type ConnectionDeps } from "../connection/connection.ts";
import { CLOSE_CODES, type CloseName } from "../protocol/close_codes.ts";
import { encodeJson } from "../protocol/codec.ts";
import type { ErrorBody } from "../protocol/server_frames.ts";
import type { Admission } from "./admission.ts";
import { type Handshake, judge } from "./handshake.ts";
import type { AllowedOrigins } from "./origin.ts";
import { WsSocket } from "./ws_socket.ts";

/** What holds for connections of all kinds. */
export type ConnectingOptions = {
  /** What connections work with; asked for only while `unready` has nothing to say. */
  readonly deps: () => ConnectionDeps;
  /** Counts the connections, of all kinds. */
  readonly admission: Admission;
  /** A peer silent for so long is pinged; silent for `idleMs`, it is closed. */
  readonly heartbeatMs: number;
  readonly idleMs: number;
  /** Why nobody can be served at present; undefined when all is well. */
  readonly unready: () => string | undefined;
  readonly newId: () => string;
  /** Called for each connection that was opened; what it returns is called with the code when it is closed. */
  readonly onOpen: (
    about: { readonly connection: Connection; readonly path: string },
  ) => (code: number) => void;
};

/** What the WebSocket side of a gateway works with. */
export type WebSocketServerOptions = ConnectingOptions & {
  readonly now: () => number;
  readonly counts: Pick<ConnectionCounts, "errors">;
  readonly allowedOrigins: AllowedOrigins;
  readonly maxMessageBytes: number;
};

type Open = {
  readonly connection: Connection;
  readonly socket: WsSocket;
  lastHeardMs: number;
  pinged: boolean;
};

/** So many times longer may a peer take that has not taken yet what was written to it: 700 bytes a second will do. */
export const STALLED_FACTOR = 5;

/** Takes WebSocket upgrades of an HTTP server and makes each a {@link Connection}. */
export class TaskWebSocketServer {
  readonly #options: WebSocketServerOptions;
  readonly #wss: WebSocketServer;
  readonly #open = new Map<Connection, Open>();
  /** The sockets there are, those of connections that were turned away too. */
  readonly #sockets = new Set<WsSocket>();
  readonly #sweep: ReturnType<typeof setInterval>;
  #refusing = false;

  constructor(server: Server, options: WebSocketServerOptions) {
    this.#options = options;
    this.#wss = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: options.maxMessageBytes,
      perMessageDeflate: false,
      handleProtocols: (_offered, request) => this.#judged.get(request)?.protocol ?? false,
    });
    server.on("upgrade", (request, stream, head) => this.#upgrade(request, stream, head));
    this.#sweep = setInterval(() => this.#checkSilent(), Math.max(250, options.heartbeatMs / 6));
  }

  readonly #judged = new WeakMap<IncomingMessage, Handshake>();

  /** The connections that are open. */
  get connections(): Iterable<Connection> {
    return this.#open.keys();
  }

  /** Answers further upgrades with 503. */
  refuseNew(): void {
    this.#refusing = true;
  }

  /** Ends every connection at once, without a word. */
  stop(): void {
    this.#refusing = true;
    clearInterval(this.#sweep);
    for (const socket of this.#sockets) socket.terminate();
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Uint8Array): void {
    stream.on("error", () => stream.destroy()); // a peer that resets is no news
    const judged = judge({
      url: request.url ?? "",
      host: request.headers.host,
      origin: request.headers.origin,
      protocols: request.headers["sec-websocket-protocol"],
    }, this.#options.allowedOrigins);
    if ("status" in judged) return refuse(stream, judged.status, judged.reason);
    const unready = this.#refusing ? "going away" : this.#options.unready();
    if (unready !== undefined) return refuse(stream, 503, unready);
    this.#judged.set(request, judged.accept);
    // ws wants a Buffer by its types; what it is given is the one node:http gave.
    this.#wss.handleUpgrade(
      request,
      stream,
      head as Parameters<WebSocketServer["handleUpgrade"]>[2],
      (ws) => {
        this.#accepted(ws, stream, request, judged.accept);
      },
    );
  }

  #accepted(ws: WebSocket, stream: Duplex, request: IncomingMessage, handshake: Handshake): void {
    ws.on("error", () => {}); // ws closes by itself with the code that fits; the close event follows
    const socket = new WsSocket(ws, stream);
    this.#sockets.add(socket);
    ws.on("close", () => this.#sockets.delete(socket));
    if (handshake.invalid !== undefined) {
      const error = { code: "INVALID_MESSAGE", message: handshake.invalid, details: {} } as const;
      return this.#turnAway(socket, handshake, error, "invalidFrames");
    }
    const connectionId = this.#options.newId();
    const clientId = handshake.clientId ?? connectionId;
    const admitted = this.#options.admission.admit(clientId, request.socket.remoteAddress ?? "");
    if ("refusal" in admitted) {
      const { limit, max } = admitted.refusal;
      const message = `too many connections: ${limit} is ${max}`;
      const error = { code: "LIMIT_EXCEEDED", message, details: { limit, max } } as const;
      return this.#turnAway(socket, handshake, error, limit === "MAX_CONNECTIONS" ? "overloaded" : "limited");
    }
    const identity = { connectionId, clientId, path: handshake.path, codec: handshake.codec };
    const connection = new Connection(socket, identity, this.#options.deps());
    const open: Open = { connection, socket, lastHeardMs: this.#now(), pinged: false };
    this.#open.set(connection, open);
    const closed = this.#options.onOpen({ connection, path: handshake.path });
    this.#listen(ws, open, (code) => {
      this.#open.delete(connection);
      admitted.release();
      closed(code);
    });
    connection.open(handshake.subscribe);
  }

  #listen(ws: WebSocket, open: Open, closed: (code: number) => void): void {
    const heard = (): void => {
      open.lastHeardMs = this.#now();
      open.pinged = false;
    };
    ws.on("message", (data: RawData, isBinary: boolean) => {
      heard();
      open.socket.whenReading(() => {
        if (isBinary) open.connection.receiveBinary();
        else open.connection.receive(data.toString());
      });
    });
    open.socket.onTaken(heard);
    ws.on("ping", heard);
    ws.on("pong", heard);
    ws.on("close", (code) => {
      open.connection.socketClosed();
      closed(code);
    });
  }

  /** Tells why on the socket, where a browser can see it, and closes. */
  #turnAway(socket: WsSocket, handshake: Handshake, error: ErrorBody, why: CloseName): void {
    const { counts } = this.#options;
    counts.errors[error.code] = (counts.errors[error.code] ?? 0) + 1;
    const frame = { type: "error", id: this.#options.newId(), timestamp: this.#now(), error } as const;
    socket.write(
      handshake.codec.pack([{ bytes: encodeJson(frame), type: "error", cursor: undefined }], this.#now()),
    );
    const { code, reason } = CLOSE_CODES[why];
    socket.close(code, reason);
  }

  /** Nobody is closed unasked, even when the clock has leapt. */
  #checkSilent(): void {
    const now = this.#now();
    const { heartbeatMs, idleMs } = this.#options;
    for (const open of this.#open.values()) {
      // Who is written to faster than it reads is not read from meanwhile, so that nothing of it can be heard.
      const silentMs = (now - open.lastHeardMs) / (open.socket.congested ? STALLED_FACTOR : 1);
      if (silentMs < heartbeatMs) continue;
      if (!open.pinged) {
        open.pinged = true;
        open.socket.ping();
      } else if (silentMs >= idleMs) {
        open.connection.close("idle");
      }
    }
  }

  #now(): number {
    return this.#options.now();
  }
}

const REASONS = { 403: "Forbidden", 404: "Not Found", 503: "Service Unavailable" } as const;

/** Answers an upgrade over plain HTTP, and hangs up: a peer that stays would be nobody's connection. */
function refuse(stream: Duplex, status: keyof typeof REASONS, detail: string): void {
  const body = JSON.stringify({ type: "about:blank", title: REASONS[status], status, detail });
  stream.once("finish", () => stream.destroy());
  const retry = status === 503 ? "Retry-After: 1\r\n" : "";
  stream.end(
    `HTTP/1.1 ${status} ${REASONS[status]}\r\nConnection: close\r\n${retry}` +
      `Content-Type: application/problem+json\r\nContent-Length: ${
        new TextEncoder().encode(body).length
      }\r\n\r\n${body}`,
  );
}
