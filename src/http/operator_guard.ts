import type { MiddlewareHandler } from "hono";
import { operatorRefusal } from "../access/may.ts";
import type { Asking } from "./asking.ts";
import { problemResponse, refused } from "./problem.ts";

/** Lets operators in, of those whom {@link accessGuard} knows, and nobody else. */
export function operatorGuard(): MiddlewareHandler<Asking> {
  return async (c, next) => {
    const refusal = operatorRefusal(c.var.access);
    return refusal === undefined ? await next() : problemResponse(refused(refusal));
  };
}
