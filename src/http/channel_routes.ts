import { Hono } from "hono";
import * as v from "valibot";
import type { Access } from "../access/access.ts";
import { refusalOf } from "../access/may.ts";
import type { Appended } from "../log/event_log.ts";
import type { ListedChannel } from "../projection/visible_channels.ts";
import { brokenRule, ChannelPublication } from "../protocol/client_frames.ts";
import type { Refused } from "../protocol/server_frames.ts";
import type { Asking } from "./asking.ts";
import { type BodyMemory, withJson } from "./body.ts";
import { invalid, type Problem, problemResponse, refused, tooLarge } from "./problem.ts";

/** What can be done with channels over HTTP. */
export type ChannelDeps = {
  /** Publishes values in order, all or none; rejects with a LogError. */
  readonly publish: (
    access: Access,
    publications: readonly ChannelPublication[],
  ) => Promise<readonly Appended[] | Refused>;
  /** The channels that `access` may follow. Rejects with a LogError. */
  readonly list: (
    access: Access,
  ) => Promise<{ readonly channels: readonly ListedChannel[]; readonly total: number } | Refused>;
};

/** So many values are published at once. */
export const MAX_VALUES = 1_000;

const Values = v.pipe(v.array(ChannelPublication), v.minLength(1));

/** `POST /api/publish`: a value to a channel, or an array of them; 202 when they are durable. `GET /api/channels`. */
export function channelRoutes({ publish, list }: ChannelDeps, memory: BodyMemory): Hono<Asking> {
  const routes = new Hono<Asking>();
  routes.get("/channels", async (c) => {
    const told = await list(c.var.access);
    return "refused" in told ? problemResponse(refused(told.refused)) : c.json(told);
  });
  routes.post("/publish", async (c) => {
    // Who may not at all is told so before a byte of the body is read.
    const refusal = refusalOf(c.var.access, { right: "publish" });
    if (refusal !== undefined) return problemResponse(refused(refusal));
    const answer = await withJson(c.req.raw, memory, async (value) => {
      const read = publicationsIn(value);
      if ("problem" in read) return read.problem;
      const told = await publish(c.var.access, read.publications);
      if ("refused" in told) {
        const { code, message } = told.refused;
        return code === "INVALID_MESSAGE" ? invalid(message) : refused(told.refused);
      }
      const results = told.map(({ seq, duplicate }) => ({ seq, duplicate }));
      if (Array.isArray(value)) return c.json({ results }, 202);
      return c.json({ topic: read.publications[0]?.topic, seq: results[0]?.seq }, 202);
    });
    return answer instanceof Response ? answer : problemResponse(answer);
  });
  return routes;
}

function publicationsIn(
  value: unknown,
): { readonly publications: readonly ChannelPublication[] } | { readonly problem: Problem } {
  if (!Array.isArray(value)) {
    const parsed = v.safeParse(ChannelPublication, value, { abortEarly: true });
    return parsed.success
      ? { publications: [parsed.output] }
      : { problem: invalid(brokenRule(parsed.issues)) };
  }
  if (value.length > MAX_VALUES) return { problem: tooLarge("values", MAX_VALUES) };
  const parsed = v.safeParse(Values, value, { abortEarly: true });
  return parsed.success ? { publications: parsed.output } : { problem: invalid(brokenRule(parsed.issues)) };
}
