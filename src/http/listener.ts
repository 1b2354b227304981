import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import { getRequestListener, RequestError } from "@hono/node-server";
import type { Incidents } from "../telemetry/incidents.ts";
import { MAX_REQUEST_BYTES } from "./body.ts";
import { invalid, type Problem, problemResponse } from "./problem.ts";
import { UnreadAnswers } from "./unread_answers.ts";

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

/** What can answer a request: a hono app. It may also have what Node has of the request. */
type App = { readonly fetch: (request: Request, node: object) => Response | Promise<Response> };

/**
 * In how many ms whoever sent a request may send the next, where it sends too many; undefined where it does not. It is asked
 * before anything is made of the request, so that saying no costs less than asking.
 */
export type TooOften = (request: IncomingMessage) => number | undefined;

/** Answers the HTTP requests of `server` with `app`. Upgrades are left to whoever listens for them. */
export function serveApp(
  server: Server,
  app: App,
  incident: Incidents,
  tooOften: TooOften = () => undefined,
): void {
  const listener = getRequestListener((request, node) => app.fetch(request, node), {
    // Otherwise it would replace Request and Response for the whole process.
    overrideGlobalObjects: false,
    errorHandler: (error) => problemResponse(unserved(error, incident)),
  });
  // It rejects for nothing: what goes wrong is answered by the error handler.
  const unread = new UnreadAnswers(() => performance.now());
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const place = unread.take(request, response);
    if (place === "end") return void request.socket.destroy();
    const retryAfterMs = tooOften(request);
    if (retryAfterMs !== undefined) return refuse(response, TOO_OFTEN, retryAfterMs);
    if (place === "noRoom") return refuse(response, NO_ROOM, NO_ROOM_MS);
    void listener(request, response);
  };
  server.on("request", answer);
  // Who asks before sending a body that is too large gets its 413 instead of being told to go on.
  server.on("checkContinue", (request, response) => {
    if (!(Number(request.headers["content-length"] ?? 0) > MAX_REQUEST_BYTES)) response.writeContinue();
    answer(request, response);
  });
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

/** Why a request is refused before anything is made of it. */
type Refused = { readonly status: number; readonly title: string; readonly detail: string };

const TOO_OFTEN: Refused = { status: 429, title: "Too Many Requests", detail: "too many requests" };
const NO_ROOM: Refused = {
  status: 503,
  title: "Service Unavailable",
  detail: "too many answers are under way that nobody reads",
};
const NO_ROOM_MS = 1_000;

function refuse(response: ServerResponse, { status, title, detail }: Refused, retryAfterMs: number): void {
  const details = { retry_after_ms: retryAfterMs };
  const body = JSON.stringify({ type: "about:blank", title, status, detail, code: "RATE_LIMITED", details });
  response.writeHead(status, {
    "content-type": "application/problem+json",
    "content-length": String(body.length),
    "retry-after": String(Math.ceil(retryAfterMs / 1_000)),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}
