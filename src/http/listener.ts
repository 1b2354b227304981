import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { getRequestListener, RequestError } from "@hono/node-server";
import type { Incidents } from "../telemetry/incidents.ts";
import { MAX_REQUEST_BYTES } from "./body.ts";
import { Listening } from "./listening.ts";
import { invalid, type Problem, problemResponse, problemText, tooManyRequests } from "./problem.ts";

/**
 * Bounds on requests, in ms and bytes. Who is slower gets 408, who sends more headers 431, and the connection ends.
 * None of them holds after an upgrade to WebSocket.
 */
export const REQUEST_BOUNDS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16_384,
  /** Longer than the usual proxy keeps an idle connection, so that it never sends into one that we are closing. */
  keepAliveTimeout: 65_000,
} as const satisfies ServerOptions;

/**
 * How our server is made. It takes upgrades to WebSocket; others, such as the `h2c` that curl and Java's client offer
 * beside a plain request, are passed over and the request is answered. Node's types do not know that option yet.
 */
export const SERVER_OPTIONS = {
  ...REQUEST_BOUNDS,
  shouldUpgradeCallback: ({ headers }: IncomingMessage): boolean =>
    headers.upgrade?.toLowerCase() === "websocket",
};

/** So many requests of a connection may wait for their answers; who sends more without reading any is hung up on. */
const MAX_PIPELINED = 16;
/** An answer is taken within this, ms; what is not is no longer held for anybody. */
const TAKEN_MS = 60_000;

/** What can answer a request: a hono app. It may also have what Node has of the request. */
type App = { readonly fetch: (request: Request, node: object) => Response | Promise<Response> };

/** What is known of whoever sends requests. */
export type Senders = {
  /**
   * In how many ms whoever sent a request may send the next, where it sends too many; undefined where it does not. It is asked
   * before anything is made of the request, so that saying no costs less than asking.
   */
  readonly tooOften: (request: IncomingMessage) => number | undefined;
};

const UNLIMITED: Senders = { tooOften: () => undefined };

/** Answers the HTTP requests of `server` with `app`. Upgrades are left to whoever listens for them. */
export function serveApp(
  server: Server,
  app: App,
  incident: Incidents,
  { tooOften }: Senders = UNLIMITED,
): void {
  const listener = getRequestListener((request, node) => app.fetch(request, node), {
    // Otherwise it would replace Request and Response for the whole process.
    overrideGlobalObjects: false,
    errorHandler: (error) => problemResponse(unserved(error, incident)),
  });
  const pipelined = new WeakMap<Socket, number>();
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (!countIn(pipelined, request, response)) return;
    const retryAfterMs = tooOften(request);
    if (retryAfterMs !== undefined) return refuseTooOften(response, retryAfterMs);
    // It rejects for nothing: what goes wrong is answered by the error handler.
    void listener(request, response);
  };
  // Their size bounds them. What is one too many would be passed over, such as what a proxy has put at the end.
  server.maxHeadersCount = 0;
  server.on("request", answer);
  new Listening(server, (error) => incident("listener", error, "world"));
  // Who asks before sending a body that is too large gets its 413 instead of being told to go on.
  server.on("checkContinue", (request, response) => {
    if (!(Number(request.headers["content-length"] ?? 0) > MAX_REQUEST_BYTES)) response.writeContinue();
    answer(request, response);
  });
}

/**
 * Counts a request among those of its connection that wait for their answers to be taken, and ends a connection of too many,
 * or one that does not take what it asked for in time (a stream has a bound of its own). False where it is ended.
 */
function countIn(
  counts: WeakMap<Socket, number>,
  { socket }: IncomingMessage,
  response: ServerResponse,
): boolean {
  const count = (counts.get(socket) ?? 0) + 1;
  if (count > MAX_PIPELINED) {
    hangUp(socket);
    return false;
  }
  counts.set(socket, count);
  const timer = setTimeout(() => response.writableEnded && socket.destroy(), TAKEN_MS);
  response.once("close", () => {
    clearTimeout(timer);
    counts.set(socket, (counts.get(socket) ?? 1) - 1);
  });
  return true;
}

/**
 * Ends a connection. What came along with the last request is parsed to its end all the same, up to 64 KiB of further ones; as
 * nobody hears of these, they cost a tenth of what they would.
 */
function hangUp(socket: Socket): void {
  socket.destroy();
  const parser: unknown = Reflect.get(socket, "parser"); // Node's own, which its types do not tell of
  if (typeof parser === "object" && parser !== null) Reflect.set(parser, "onIncoming", () => 0);
}

/** Requests that never become one: a broken `Host` or target. Anything else that gets here is our fault. */
function unserved(error: unknown, incident: Incidents): Problem {
  if (error instanceof RequestError) return invalid(`the request cannot be understood: ${error.message}`);
  return {
    status: 500,
    code: "SERVER_ERROR",
    detail: "something went wrong here; the incident is in the server's log",
    details: { incident: incident("http", error) },
  };
}

function refuseTooOften(response: ServerResponse, retryAfterMs: number): void {
  const problem = tooManyRequests(retryAfterMs);
  const body = problemText(problem);
  response.writeHead(problem.status, {
    "content-type": "application/problem+json",
    "content-length": String(body.length),
    ...problem.headers,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}
