import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { type AllowedOrigins, originAllowed } from "../transport/origin.ts";
import type { Asking } from "./asking.ts";
import { problemResponse } from "./problem.ts";

/** Refuses what pages of foreign sites ask of the API in their visitors' browsers. */
export function originGuard(allowed: AllowedOrigins): MiddlewareHandler<Asking> {
  return async (c, next) => {
    if (originAllowed(c.req.header("origin"), c.req.header("host"), allowed)) return await next();
    return problemResponse({
      status: 403,
      code: "FORBIDDEN",
      detail: "this origin may not use the API; see ALLOWED_ORIGINS",
      details: {},
    });
  };
}

/** How long a browser may remember what it was told it may ask, in s. */
const PREFLIGHT_SECONDS = 600;

/** Tells browsers that pages of the sites which {@link originGuard} lets in may read the answers (CORS). */
export function readableByOrigins(): MiddlewareHandler<Asking> {
  return cors({
    origin: (origin) => origin,
    allowMethods: ["GET", "POST"],
    allowHeaders: ["authorization", "content-type", "idempotency-key", "last-event-id", "traceparent"],
    exposeHeaders: ["retry-after", "www-authenticate"],
    maxAge: PREFLIGHT_SECONDS,
  });
}
