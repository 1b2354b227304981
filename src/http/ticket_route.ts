import { type Context, Hono } from "hono";
import type { Access } from "../access/access.ts";
import type { Ticket } from "../access/tickets.ts";
import type { Asking } from "./asking.ts";
import { problemResponse } from "./problem.ts";

/** `POST /tickets`: a ticket for whoever asks; it opens one connection within 30 s, with the same rights. */
export function ticketRoute(issue: (access: Access) => Ticket | undefined): Hono<Asking> {
  const routes = new Hono<Asking>();
  routes.post("/tickets", (c: Context<Asking>) => {
    const made = issue(c.var.access);
    if (made !== undefined) return c.json({ ticket: made.ticket, expires_at: made.expiresAtMs }, 201);
    const retryAfterMs = 1_000;
    return problemResponse({
      status: 429,
      code: "RATE_LIMITED",
      detail: "too many tickets are out",
      details: { retry_after_ms: retryAfterMs },
      headers: { "retry-after": "1" },
    });
  });
  return routes;
}
