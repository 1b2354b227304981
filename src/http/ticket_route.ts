import { type Context, Hono } from "hono";
import type { Access } from "../access/access.ts";
import type { Ticket } from "../access/tickets.ts";
import type { Asking } from "./asking.ts";
import { problemResponse, tooManyRequests } from "./problem.ts";

/** `POST /tickets`: a ticket for whoever asks; it opens one connection within 30 s, with the same rights. */
export function ticketRoute(issue: (access: Access) => Ticket | undefined): Hono<Asking> {
  const routes = new Hono<Asking>();
  routes.post("/tickets", (c: Context<Asking>) => {
    const made = issue(c.var.access);
    if (made !== undefined) return c.json({ ticket: made.ticket, expires_at: made.expiresAtMs }, 201);
    return problemResponse(tooManyRequests(1_000, "too many tickets are out"));
  });
  return routes;
}
