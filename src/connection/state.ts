import type { ClientFrame } from "../protocol/client_frames.ts";
import type { CloseName } from "../protocol/close_codes.ts";
import type { ErrorBody, ServerData } from "../protocol/server_frames.ts";
import {
  type Flow,
  type FlowEffect,
  type FlowInput,
  type Gap,
  heldTopics,
  type Position,
  safeCursor,
  type Start,
} from "./flow.ts";
import { stepFlow } from "./flow_step.ts";
import { type Bucket, type Rate, take } from "./rate_limit.ts";

/** The life of a connection: `greeting → open (live ⇄ behind) → draining → closed`. */
export type State =
  | { readonly kind: "greeting" }
  | Serving
  | { readonly kind: "closed" };

/** `draining`: the client has been told to go, and is served as before until its slot comes. */
export type Serving = {
  readonly kind: "open" | "draining";
  readonly flow: Flow;
  readonly bucket: Bucket;
  readonly strikes: readonly number[];
  /** The least time between two flushes of progress alone that the client asked for, in ms; 0 where it did not. */
  readonly paceMs: number;
};

/** What answers a request. Handlers return it and perform nothing. */
export type Outcome =
  | Reply
  | {
    readonly kind: "error";
    readonly error: ErrorBody;
    /** Nothing is wrong with the message, whatever the code: it came too late, say. It then counts as no invalid one. */
    readonly isValid?: boolean;
  }
  | {
    readonly kind: "subscribe";
    readonly topics: readonly string[];
    readonly start: Start;
    /** The least time between two flushes of progress alone, in ms; what was asked before stands where it is left out. */
    readonly paceMs?: number;
  }
  | { readonly kind: "unsubscribe"; readonly topics: readonly string[] };

/** A frame that answers a request; its id is the request's. */
export type Reply = {
  readonly [T in keyof ServerData]: {
    readonly kind: "reply";
    readonly type: T;
    readonly data: ServerData[T];
    readonly seq?: number;
  };
}[keyof ServerData];

/** What happens to a connection. */
export type Input =
  | { readonly kind: "opened"; readonly atMs: number }
  | { readonly kind: "request"; readonly frame: ClientFrame; readonly cost: number; readonly atMs: number }
  | {
    readonly kind: "invalid";
    readonly id: string | undefined;
    readonly error: ErrorBody;
    readonly atMs: number;
  }
  | { readonly kind: "answer"; readonly id: string; readonly outcome: Outcome; readonly atMs: number }
  | { readonly kind: "flow"; readonly input: FlowInput }
  | { readonly kind: "rebuilt"; readonly reason: Gap["reason"]; readonly served: number }
  | { readonly kind: "drain"; readonly reconnectAfterMs: number }
  | { readonly kind: "close"; readonly why: CloseName }
  | { readonly kind: "socketClosed" };

/** What is to be done; `dispatch` hands a request to its message type. */
export type Effect =
  | FlowEffect
  | { readonly kind: "welcome" }
  | { readonly kind: "dispatch"; readonly frame: ClientFrame }
  | { readonly kind: "reply"; readonly id: string; readonly reply: Reply }
  | { readonly kind: "error"; readonly id: string | undefined; readonly error: ErrorBody }
  | { readonly kind: "drain"; readonly data: ServerData["drain"] }
  | { readonly kind: "close"; readonly why: CloseName };

/** The bounds a connection is held to. */
export type Limits = { readonly maxTopics: number; readonly rate: Rate };

/** So many invalid frames within a minute end a connection. */
const MAX_STRIKES = 10;
const STRIKE_MS = 60_000;

type Decision = [State, readonly Effect[]];

/** What a connection does next. Pure: it performs nothing. */
export function step(state: State, input: Input, position: Position, limits: Limits): Decision {
  if (state.kind === "closed") return [state, []];
  if (state.kind === "greeting") return greeted(state, input, limits);
  switch (input.kind) {
    case "opened":
      return [state, []];
    case "request":
      return requested(state, input, limits);
    case "invalid":
      return struck(state, input);
    case "answer":
      return answered(state, input, position, limits);
    case "flow":
      return flowing(state, input.input, position);
    case "rebuilt":
      return flowing(state, { kind: "rebuilt", reason: input.reason, served: input.served }, position);
    case "drain":
      return state.kind === "open" ? draining(state, input.reconnectAfterMs, position) : [state, []];
    case "close":
      return [{ kind: "closed" }, [...leaving(state), { kind: "close", why: input.why }]];
    case "socketClosed":
      return [{ kind: "closed" }, leaving(state)];
  }
}

/** Nothing but the opening, or the end, of a connection that was not greeted yet matters. */
function greeted(state: Extract<State, { kind: "greeting" }>, input: Input, limits: Limits): Decision {
  switch (input.kind) {
    case "opened": {
      const bucket = { tokens: limits.rate.burst, atMs: input.atMs };
      return [{ kind: "open", flow: { kind: "quiet" }, bucket, strikes: [], paceMs: 0 }, [{
        kind: "welcome",
      }]];
    }
    case "close":
      return [{ kind: "closed" }, [{ kind: "close", why: input.why }]];
    case "socketClosed":
      return [{ kind: "closed" }, []];
    case "request":
    case "invalid":
    case "answer":
    case "flow":
    case "rebuilt":
    case "drain":
      return [state, []];
  }
}

/** How a connection is counted: `greeting`, `quiet`, `live`, `behind`, `draining` or `closed`. */
export function stateName(state: State): string {
  return state.kind === "open" ? state.flow.kind : state.kind;
}

function leaving(state: State): readonly Effect[] {
  return (state.kind === "open" || state.kind === "draining") && state.flow.kind === "live"
    ? [{ kind: "leave" }]
    : [];
}

function requested(
  state: Serving,
  input: Extract<Input, { kind: "request" }>,
  limits: Limits,
): Decision {
  const { bucket, retryAfterMs } = take(state.bucket, limits.rate, input.cost, input.atMs);
  const next = { ...state, bucket };
  if (retryAfterMs === undefined) return [next, [{ kind: "dispatch", frame: input.frame }]];
  const error: ErrorBody = {
    code: "RATE_LIMITED",
    message: `more than ${limits.rate.perSecond} messages a second`,
    details: { retry_after_ms: retryAfterMs },
  };
  return [next, [{ kind: "error", id: input.frame.id, error }]];
}

function struck(
  state: Serving,
  input: Extract<Input, { kind: "invalid" }>,
): Decision {
  const strikes = [...state.strikes.filter((atMs) => input.atMs - atMs < STRIKE_MS), input.atMs];
  const error: Effect = { kind: "error", id: input.id, error: input.error };
  if (strikes.length < MAX_STRIKES) return [{ ...state, strikes }, [error]];
  return [{ kind: "closed" }, [error, ...leaving(state), { kind: "close", why: "invalidFrames" }]];
}

function answered(
  state: Serving,
  input: Extract<Input, { kind: "answer" }>,
  position: Position,
  limits: Limits,
): Decision {
  const { outcome, id } = input;
  switch (outcome.kind) {
    case "reply":
      return [state, [{ kind: "reply", id, reply: outcome }]];
    case "error":
      return outcome.error.code === "INVALID_MESSAGE" && outcome.isValid !== true
        ? struck(state, { kind: "invalid", id, error: outcome.error, atMs: input.atMs })
        : [state, [{ kind: "error", id, error: outcome.error }]];
    case "unsubscribe":
      return flowing(state, { kind: "unsubscribe", requestId: id, topics: outcome.topics }, position);
    case "subscribe": {
      const count = new Set([...heldTopics(state.flow), ...outcome.topics]).size;
      if (count > limits.maxTopics) {
        const error: ErrorBody = {
          code: "LIMIT_EXCEEDED",
          message: `a connection holds at most ${limits.maxTopics} topics`,
          details: { limit: "MAX_TOPICS", max: limits.maxTopics },
        };
        return [state, [{ kind: "error", id, error }]];
      }
      const paced = { ...state, paceMs: outcome.paceMs ?? state.paceMs };
      const { topics, start } = outcome;
      const decision = flowing(paced, { kind: "subscribe", requestId: id, topics, start }, position);
      return repaced(state, decision, position);
    }
  }
}

/** A connection that is live and asked for another pace and nothing else leaves its audience for that of the pace. */
function repaced(before: Serving, decision: [Serving, readonly Effect[]], position: Position): Decision {
  const [after, effects] = decision;
  const joins = effects.some(({ kind }) => kind === "join");
  if (after.paceMs === before.paceMs || after.flow.kind !== "live" || joins) return decision;
  const [again, more] = flowing(after, { kind: "lagged", cursor: position.cursor }, position);
  return [again, [...effects, { kind: "leave" }, ...more]];
}

function flowing(state: Serving, input: FlowInput, position: Position): [Serving, readonly Effect[]] {
  const [flow, effects] = stepFlow(state.flow, input, position);
  return [{ ...state, flow }, effects];
}

function draining(
  state: Serving,
  reconnectAfterMs: number,
  position: Position,
): Decision {
  const seq = safeCursor(state.flow, position);
  const data = {
    reconnect_after_ms: reconnectAfterMs,
    ...(seq === undefined ? {} : { seq }),
    epoch: position.epoch,
  };
  return [{ ...state, kind: "draining" }, [{ kind: "drain", data }]];
}
