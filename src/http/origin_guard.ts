import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { type AllowedOrigins, originAllowed } from "../transport/origin.ts";
import type { AccessGuardOptions } from "./access_guard.ts";
import type { Asking } from "./asking.ts";
import { problemResponse, tooManyRequests } from "./problem.ts";

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

/**
 * Counts what nobody looks at the token of, since it opens nothing: what pages of foreign sites ask, and what browsers ask before
 * they ask. Those who show a good token from the same address are not held back by it.
 */
export function countStrangers(
  allowed: AllowedOrigins,
  { guesses, addressOf, refused }: Pick<AccessGuardOptions, "guesses" | "addressOf" | "refused">,
): MiddlewareHandler<Asking> {
  return async (c, next) => {
    const isAllowed = originAllowed(c.req.header("origin"), c.req.header("host"), allowed);
    if (isAllowed && c.req.method !== "OPTIONS") return await next();
    const wait = guesses.take(addressOf(c.env.incoming));
    if (wait === undefined) return await next();
    refused();
    return problemResponse(tooManyRequests(wait.retryAfterMs));
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
