import { Hono } from "hono";
import * as v from "valibot";
import type { Access } from "../access/access.ts";
import { refusalOf } from "../access/may.ts";
import { brokenRule, ChannelPublication } from "../protocol/client_frames.ts";
import type { Refused, ServerData } from "../protocol/server_frames.ts";
import type { Asking } from "./asking.ts";
import { type BodyMemory, withJson } from "./body.ts";
import { invalid, problemResponse, refused } from "./problem.ts";

/** Publishes to a channel; rejects with a LogError. */
export type Publish = (
  access: Access,
  publication: ChannelPublication,
) => Promise<ServerData["published"] | Refused>;

/** `POST /api/publish`: a value to a channel; 202 when it is durable. */
export function publishRoute(publish: Publish, memory: BodyMemory): Hono<Asking> {
  const routes = new Hono<Asking>();
  routes.post("/publish", async (c) => {
    // Who may not at all is told so before a byte of the body is read.
    const refusal = refusalOf(c.var.access, { right: "publish" });
    if (refusal !== undefined) return problemResponse(refused(refusal));
    const answer = await withJson(c.req.raw, memory, async (value) => {
      const parsed = v.safeParse(ChannelPublication, value, { abortEarly: true });
      if (!parsed.success) return invalid(brokenRule(parsed.issues));
      const told = await publish(c.var.access, parsed.output);
      if (!("refused" in told)) return c.json(told, 202);
      const { code, message } = told.refused;
      return code === "INVALID_MESSAGE" ? invalid(message) : refused(told.refused);
    });
    return answer instanceof Response ? answer : problemResponse(answer);
  });
  return routes;
}
