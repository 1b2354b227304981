import type { ClientFrame } from "../protocol/client_frames.ts";
import type { ErrorBody } from "../protocol/server_frames.ts";
import type { FlowInput } from "./flow.ts";
import { take } from "./rate_limit.ts";
import type { RefusedAccess } from "./refused_access.ts";
import type { Decision, Effect, Input, Limits, Serving, Unknown } from "./state.ts";

/** So many invalid frames within a minute end a connection. */
const MAX_STRIKES = 10;
const STRIKE_MS = 60_000;
/** And so many times what may come at once, refused within this: then it costs more to say no than to ask. */
const FLOOD_BURSTS = 10;
const FLOOD_MS = 10_000;
/** What answers with more entries than so many costs as several that answer with so many. */
const ENTRIES = 100;

/** So many bursts somebody may be behind with what snapshots cost. */
const MOST_OWED = 2;

/** What is to be done about the audience of a connection that ends. */
export function leaving(state: Serving | Unknown): readonly Effect[] {
  return state.kind !== "unknown" && state.flow.kind === "live" ? [{ kind: "leave" }] : [];
}

/** Hands a request on, unless there were too many. */
export function requested(
  state: Serving | Unknown,
  input: Extract<Input, { kind: "request" }>,
  limits: Limits,
): Decision {
  const cost = input.cost * pagesIn(input.frame);
  const { bucket, retryAfterMs } = take(state.bucket, limits.rate, cost, input.atMs);
  const next = { ...state, bucket };
  if (retryAfterMs === undefined) return [next, [{ kind: "dispatch", frame: input.frame }]];
  const error: ErrorBody = {
    code: "RATE_LIMITED",
    message: `more than ${limits.rate.perSecond} messages a second`,
    details: { retry_after_ms: retryAfterMs },
  };
  const refused = { id: input.frame.id, error };
  const sinceMs = input.atMs - state.flood.sinceMs < FLOOD_MS ? state.flood.sinceMs : input.atMs;
  const flood = { refused: sinceMs === state.flood.sinceMs ? state.flood.refused + 1 : 1, sinceMs };
  if (flood.refused > FLOOD_BURSTS * limits.rate.burst) {
    return closing(state, { ...refused, close: "limited" });
  }
  return [{ ...next, flood }, [{ kind: "error", ...refused }]];
}

/** How many pages of {@link ENTRIES} a frame asks for at once, by its `limit`: at least one. */
function pagesIn({ data }: ClientFrame): number {
  const { limit } = data;
  return typeof limit === "number" ? Math.max(1, limit / ENTRIES) : 1;
}

/**
 * A snapshot costs what as many pages of tasks would, by what was sent of it: who has the present state begin anew time and
 * again waits in between. The first is free: without it nobody could begin.
 */
export function charged(state: Serving, input: FlowInput, { rate }: Limits): Serving {
  if (input.kind !== "walked") return state;
  const { snapshots = 0, bucket } = state;
  const sent = { ...state, snapshots: input.done ? snapshots + 1 : snapshots };
  if (snapshots === 0) return sent;
  const tokens = Math.max(-MOST_OWED * rate.burst, bucket.tokens - input.frames.length / ENTRIES);
  return { ...sent, bucket: { ...bucket, tokens } };
}

/** Says what is wrong with a frame; the tenth within a minute ends the connection. */
export function struck(
  state: Serving | Unknown,
  input: Omit<Extract<Input, { kind: "invalid" }>, "kind">,
): Decision {
  const strikes = [...state.strikes.filter((atMs) => input.atMs - atMs < STRIKE_MS), input.atMs];
  const error: Effect = { kind: "error", id: input.id, error: input.error };
  if (strikes.length < MAX_STRIKES) return [{ ...state, strikes }, [error]];
  return closing(state, { ...input, close: "invalidFrames" });
}

/** Tells why, and closes. */
export function closing(
  state: Serving | Unknown,
  { id, error, close }: Pick<RefusedAccess, "error" | "close"> & { readonly id: string | undefined },
): Decision {
  return [{ kind: "closed" }, [{ kind: "error", id, error }, ...leaving(state), {
    kind: "close",
    why: close,
  }]];
}
