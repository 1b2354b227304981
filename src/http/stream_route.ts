import type { ServerResponse } from "node:http";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import type { StreamRefusal, StreamRequest } from "../transport/stream_server.ts";
import type { Asking } from "./asking.ts";
import { type Problem, problemResponse, retryAfter } from "./problem.ts";

/** Who streams frames. */
export interface Streams {
  /** Begins a stream on `response`, or says why not and leaves it alone. */
  open(request: StreamRequest, response: ServerResponse): Promise<StreamRefusal | undefined>;
}

/** `/stream`: frames as Server-Sent Events, written to Node's own response, which says when it wants no more. */
export function streamRoute(streams: Streams): Hono<Asking> {
  const routes = new Hono<Asking>();
  routes.get("/stream", async (c) => {
    if (c.req.method === "HEAD") return c.body(null, 200, { "content-type": "text/event-stream" });
    const refused = await streams.open({
      query: new URL(c.req.url).searchParams,
      lastEventId: c.req.header("last-event-id"),
      address: c.var.address,
      access: c.var.access,
      headers: readableBy(c.req.header("origin")),
    }, c.env.outgoing);
    return refused === undefined ? sent() : problemResponse(problemOf(refused));
  });
  return routes;
}

/** What says that the answer is on its way; a new one each time, since headers are added to every answer. */
function sent(): Response {
  return new Response(null, RESPONSE_ALREADY_SENT);
}

/** A page elsewhere that may use the API may read the stream too. */
function readableBy(origin: string | undefined): Readonly<Record<string, string>> {
  return origin === undefined ? {} : { "access-control-allow-origin": origin, vary: "origin" };
}

function problemOf({ status, error }: StreamRefusal): Problem {
  const { code, message, details } = error;
  return { status, code, detail: message, details, headers: retryAfter(details) };
}
