import type { MiddlewareHandler } from "hono";
import { type AllowedOrigins, originAllowed } from "../transport/origin.ts";
import { problemResponse } from "./problem.ts";

/** Refuses what pages of foreign sites ask of the API in their visitors' browsers. */
export function originGuard(allowed: AllowedOrigins): MiddlewareHandler {
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
