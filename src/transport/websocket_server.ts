import type { IncomingMessage, Server } from "node:http";
import type { Access } from "../access/access.ts";
import { AccessError } from "../access/authenticator.ts";
import { refusedBy } from "../connection/refused_access.ts";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { Connection } from "../connection/connection.ts";
import type { ConnectionCounts } from "../connection/connection_deps.ts";
import { type Bucket, take } from "../connection/rate_limit.ts";
import { CLOSE_CODES, type CloseName } from "../protocol/close_codes.ts";
import { encodeJson } from "../protocol/codec.ts";
import type { ErrorBody } from "../protocol/server_frames.ts";
import type { Clock } from "../router/router.ts";
import { admitLate, type Place, type Refusal, tooMany } from "./admission.ts";
import { addressOf } from "./client_address.ts";
import { type ConnectingOptions, STALLED_FACTOR } from "./connecting.ts";
import { deflated } from "./deflated.ts";
import { type Handshake, judge } from "./handshake.ts";
import { COMPRESSION, declineOthers } from "./extension_offers.ts";
import { inflateAtOnce, isCompressing } from "./inflate.ts";
import type { AllowedOrigins } from "./origin.ts";
import { refuseUpgrade } from "./refuse_upgrade.ts";
import { bytesOf, WsSocket } from "./ws_socket.ts";

/** What the WebSocket side of a gateway works with. */
export type WebSocketServerOptions = ConnectingOptions & {
  readonly clock: Pick<Clock, "now" | "elapsed">;
  readonly counts: Pick<ConnectionCounts, "errors">;
  readonly allowedOrigins: AllowedOrigins;
  readonly maxMessageBytes: number;
  /** Whether messages may be compressed, where the client offers it. */
  readonly compression: boolean;
};

type Open = {
  readonly connection: Connection;
  readonly socket: WsSocket;
  lastHeardMs: number;
  pinged: boolean;
  /** For pings and pongs, at the rate of messages. */
  control: Bucket;
};

/** An upgrade that is being looked at. */
type Arrival = {
  readonly request: IncomingMessage;
  readonly stream: Duplex;
  readonly head: Uint8Array;
  readonly handshake: Handshake;
  readonly connectionId: string;
  readonly clientId: string;
};

/** Whose place it has, and what it may; undefined where it has shown no token yet. */
type Arrived = { readonly place: Place; readonly access: Access | undefined };

/** Why a connection is turned away, on its socket. */
type Ending = { readonly error: ErrorBody; readonly close: CloseName };

/** A message may come in as many pieces, whether frames or what a socket reads at once, as it has this many bytes at most. */
const PIECE_BYTES = 256;
/** And in so many, however small it has to be. */
const FEW_PIECES = 256;

/** So many pongs may wait to be taken: more than who keeps to the rate of messages has us send at once. */
const MAX_PONGS = 256;

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
      perMessageDeflate: options.compression && COMPRESSION,
      ...bounds(options.maxMessageBytes),
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
    const address = addressOf(request, this.#options.trustedProxies);
    const wait = this.#options.handshakes.take(address);
    if (wait !== undefined) {
      this.#options.refused("HANDSHAKES_PER_SECOND");
      return refuseUpgrade(stream, 429, "too many connections at once; try again later", wait);
    }
    const judged = judge(
      {
        url: request.url ?? "",
        host: request.headers.host,
        origin: request.headers.origin,
        authorization: request.headers.authorization,
        protocols: request.headers["sec-websocket-protocol"],
      },
      this.#options.allowedOrigins,
      { asksForToken: this.#options.gate.withoutToken === undefined },
    );
    if ("status" in judged) return refuseUpgrade(stream, judged.status, judged.reason);
    const unready = this.#unready();
    if (unready !== undefined) return refuseUpgrade(stream, 503, unready, { retryAfterMs: 1_000 });
    const { token, invalid, clientId } = judged.accept;
    const connectionId = this.#options.newId();
    const named = { connectionId, clientId: clientId ?? connectionId };
    const arrival = { request, stream, head, handshake: judged.accept, ...named };
    if (invalid !== undefined) {
      return this.#accept(arrival, {
        error: { code: "INVALID_MESSAGE", message: invalid, details: {} },
        close: "invalidFrames",
      });
    }
    const { gate, admission } = this.#options;
    const { withoutToken } = gate;
    // It has its place before anybody is asked about its token, which may take long: who waits is counted too.
    const admitted = admission.admit({ ...named, address, subject: withoutToken?.subject });
    if ("refusal" in admitted) return this.#accept(arrival, this.#tooMany(admitted.refusal));
    const { place } = admitted;
    stream.once("close", place.release);
    if (withoutToken !== undefined || token === undefined) {
      return this.#accept(arrival, { place, access: withoutToken });
    }
    gate.authenticate(token).then(
      (access) => this.#known(arrival, place, access),
      (error: unknown) =>
        this.#left(arrival, place, refusedBy(error instanceof AccessError ? error : FAILED)),
    );
  }

  /** Whose the token is, is known. */
  #known(arrival: Arrival, place: Place, access: Access): void {
    const refusal = place.known(access.subject);
    if (refusal !== undefined) return this.#left(arrival, place, this.#tooMany(refusal));
    this.#accept(arrival, { place, access });
  }

  /** It gives its place up again: it is turned away. */
  #left(arrival: Arrival, place: Place, ending: Ending): void {
    place.release();
    this.#accept(arrival, ending);
  }

  #tooMany(refusal: Refusal): Ending {
    this.#options.refused(refusal.limit);
    return { error: tooMany(refusal), close: refusal.limit === "MAX_CONNECTIONS" ? "overloaded" : "limited" };
  }

  #unready(): string | undefined {
    return this.#refusing ? "going away" : this.#options.unready();
  }

  #accept(arrival: Arrival, judged: Ending | Arrived): void {
    const { request, stream, head, handshake } = arrival;
    if (stream.destroyed) return;
    const unready = this.#unready();
    if (unready !== undefined) return refuseUpgrade(stream, 503, unready, { retryAfterMs: 1_000 });
    this.#judged.set(request, handshake);
    declineOthers(request);
    // ws wants a Buffer by its types; what it is given is the one node:http gave.
    this.#wss.handleUpgrade(
      request,
      stream,
      head as Parameters<WebSocketServer["handleUpgrade"]>[2],
      (ws) => this.#accepted(ws, arrival, judged),
    );
  }

  #accepted(
    ws: WebSocket,
    { stream, handshake, connectionId, clientId }: Arrival,
    judged: Ending | Arrived,
  ): void {
    const socket = new WsSocket(ws, stream);
    this.#sockets.add(socket);
    ws.on("close", () => this.#sockets.delete(socket));
    if ("error" in judged) return this.#turnAway(socket, handshake, judged);
    const { place, access } = judged;
    const { path } = handshake;
    const isCompressed = isCompressing(ws);
    if (isCompressed) inflateAtOnce(ws, this.#options.maxMessageBytes);
    const codec = isCompressed ? deflated(handshake.codec) : handshake.codec;
    const identity = { connectionId, clientId, path, codec, admit: admitLate(place) };
    const connection = new Connection(socket, identity, this.#options.deps());
    const atMs = this.#elapsed();
    const control = { tokens: this.#options.deps().limits.rate.burst, atMs };
    const open: Open = { connection, socket, lastHeardMs: atMs, pinged: false, control };
    this.#open.set(connection, open);
    const closed = this.#options.onOpen({ connection, path: handshake.path });
    this.#listen(ws, open, (code) => {
      this.#open.delete(connection);
      place.release();
      closed(code);
    });
    connection.open(access, handshake.subscribe);
  }

  #listen(ws: WebSocket, open: Open, closed: (code: number) => void): void {
    const heard = (): void => {
      open.lastHeardMs = this.#elapsed();
      open.pinged = false;
    };
    ws.on("message", (data: RawData, isBinary: boolean) => {
      if (ws.readyState !== ws.OPEN) return; // what comes after we have closed is read for its close frame alone
      heard();
      open.socket.whenReading(() => {
        if (isBinary) open.connection.receiveBinary(bytesOf(data));
        else open.connection.receive(data.toString());
      });
    });
    open.socket.onTaken(heard);
    const heardControl = (): void => {
      heard();
      if (ws.readyState === ws.OPEN) this.#countControl(open);
    };
    ws.on("ping", heardControl);
    ws.on("pong", heardControl);
    ws.on("close", (code) => {
      open.connection.socketClosed();
      closed(open.socket.code ?? code);
    });
  }

  /** Pings and pongs come at the rate of messages at most: nobody needs more. */
  #countControl(open: Open): void {
    const { rate } = this.#options.deps().limits;
    const { bucket, retryAfterMs } = take(open.control, rate, 1, this.#elapsed());
    open.control = bucket;
    if (retryAfterMs === undefined) return;
    this.#options.refused("MESSAGES_PER_SECOND");
    open.connection.close("limited");
  }

  /** Tells why on the socket, where a browser can see it, and closes. */
  #turnAway(socket: WsSocket, handshake: Handshake, { error, close }: Ending): void {
    const { counts, clock } = this.#options;
    counts.errors[error.code] = (counts.errors[error.code] ?? 0) + 1;
    const frame = { type: "error", id: this.#options.newId(), timestamp: clock.now(), error } as const;
    socket.write(
      handshake.codec.pack([{ bytes: encodeJson(frame), type: "error", cursor: undefined }], clock.now()),
    );
    const { code, reason } = CLOSE_CODES[close];
    socket.close(code, reason);
  }

  /** Nobody is closed unasked, even when we stood still. */
  #checkSilent(): void {
    const elapsedMs = this.#elapsed();
    const { heartbeatMs, idleMs } = this.#options;
    for (const open of this.#open.values()) {
      // Who is written to faster than it reads is not read from meanwhile, so that nothing of it can be heard.
      const silentMs = (elapsedMs - open.lastHeardMs) / (open.socket.congested ? STALLED_FACTOR : 1);
      if (silentMs < heartbeatMs) continue;
      if (!open.pinged) {
        open.pinged = true;
        open.socket.ping();
      } else if (silentMs >= idleMs) {
        open.connection.close("idle");
      }
    }
  }

  #elapsed(): number {
    return this.#options.clock.elapsed();
  }
}

/**
 * Bounds of `ws` that its types do not know yet. A message in pieces holds what was read with each of them until it is whole,
 * some 600 bytes for a piece of one.
 */
function bounds(maxMessageBytes: number): object {
  const pieces = Math.max(FEW_PIECES, Math.ceil(maxMessageBytes / PIECE_BYTES));
  return { maxFragments: pieces, maxBufferedChunks: pieces, maxPendingAutoPongs: MAX_PONGS };
}

const FAILED = new AccessError("unavailable", "tokens cannot be judged at present");
