import type { Access } from "../access/access.ts";
import { refusalOf } from "../access/may.ts";
import type { ErrorBody } from "../protocol/server_frames.ts";
import { parseTopic } from "../protocol/topics.ts";
import { type FlowInput, heldTopics, type Position, safeCursor } from "./flow.ts";
import { stepFlow } from "./flow_step.ts";
import { charged, closing, leaving, requested, struck } from "./requests.ts";
import type { Decision, Input, Limits, Serving, State, Unknown } from "./state.ts";
import { alarmOf, authenticated, known, stepUnknown } from "./unknown.ts";

const EXPIRED: ErrorBody = { code: "UNAUTHORIZED", message: "the token has expired", details: {} };
const ANOTHER_SUBJECT: ErrorBody = {
  code: "UNAUTHORIZED",
  message: "the token is of another subject",
  details: {},
};

/** What a connection does next. Pure: it performs nothing. */
export function step(state: State, input: Input, position: Position, limits: Limits): Decision {
  if (state.kind === "closed") return [state, []];
  if (state.kind === "greeting") return greeted(state, input, limits);
  if (state.kind === "unknown") return stepUnknown(state, input, limits);
  switch (input.kind) {
    case "opened":
      return [state, []];
    case "request":
      return requested(state, input, limits);
    case "invalid":
      return struck(state, input);
    case "answer":
      return answered(state, input, position, limits);
    case "flow": {
      const [after, effects] = flowing(state, input.input, position);
      return [charged(after, input.input, limits), effects];
    }
    case "rebuilt":
      return flowing(state, { kind: "rebuilt", reason: input.reason, served: input.served }, position);
    case "lost":
      return outOfSight(state, input.taskId, position);
    case "withdrawn":
      return withdrawn(state, input.namespace, position);
    case "drain":
      return state.kind === "open" ? draining(state, input.reconnectAfterMs, position) : [state, []];
    case "alarm":
      return closing(state, { error: EXPIRED, close: "tokenExpired", id: undefined });
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
      const { access, first, atMs } = input;
      const bucket = { tokens: limits.rate.burst, atMs };
      const flood = { refused: 0, sinceMs: atMs };
      const unknown: Unknown = { kind: "unknown", bucket, flood, strikes: [], first };
      return access === undefined
        ? [unknown, [{ kind: "setAlarm", afterMs: limits.authMs }]]
        : known(unknown, access);
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
    case "lost":
    case "withdrawn":
    case "drain":
    case "alarm":
      return [state, []];
  }
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
        ? struck(state, { id, error: outcome.error, atMs: input.atMs })
        : [state, [{ kind: "error", id, error: outcome.error }]];
    case "unsubscribe":
      return flowing(state, { kind: "unsubscribe", requestId: id, topics: outcome.topics }, position);
    case "access":
      return refreshed(state, id, outcome.access, position);
    case "refusedAccess":
      return [state, [{ kind: "error", id, error: outcome.error }]];
    case "subscribe": {
      // What was allowed when it was asked may be lost by now.
      const refused = refusalOf(state.access, { right: "subscribe", topics: outcome.topics });
      if (refused !== undefined) return [state, [{ kind: "error", id, error: refused }]];
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
      return rehoused(state, decision, position);
    }
  }
}

/** A fresh token is of the same subject; topics that it is not for are lost. */
function refreshed(state: Serving, id: string, access: Access, position: Position): Decision {
  if (access.subject !== state.access.subject) {
    return [state, [{ kind: "error", id, error: ANOTHER_SUBJECT }]];
  }
  const reply = [authenticated(id, access), alarmOf(access)];
  const lost = heldTopics(state.flow).filter((topic) =>
    refusalOf(access, { right: "subscribe", topics: [topic] }) !== undefined
  );
  if (lost.length === 0) {
    const [after, effects] = rehoused(state, [{ ...state, access }, []], position);
    return [after, [...reply, ...effects]];
  }
  const [left, told] = without(lost, { ...state, access }, position);
  const [after, effects] = rehoused(state, [left, told], position);
  return [after, [...reply, ...effects]];
}

/** The topics of a task that somebody else has now are lost. */
function outOfSight(state: Serving, taskId: string, position: Position): Decision {
  const lost = heldTopics(state.flow).filter((text) => {
    const topic = parseTopic(text);
    return (topic?.kind === "task" || topic?.kind === "channel") && topic.taskId === taskId;
  });
  return lost.length === 0 ? [state, []] : without(lost, state, position);
}

/** Topics that are there no more are left. */
function withdrawn(state: Serving, namespace: string, position: Position): Decision {
  const lost = heldTopics(state.flow).filter((text) => {
    const topic = parseTopic(text);
    return topic?.kind === "channel" && topic.namespace === namespace;
  });
  if (lost.length === 0) return [state, []];
  const message = `there is no ${namespace}:* any more`;
  return without(lost, state, position, { code: "TOPIC_NOT_FOUND", message, details: { topics: lost } });
}

function without(
  lost: readonly string[],
  state: Serving,
  position: Position,
  error: ErrorBody = {
    code: "FORBIDDEN",
    message: `the token is not for ${lost[0]}`,
    details: { topics: lost },
  },
): Decision<Serving> {
  const gone = { kind: "unsubscribe", requestId: undefined, topics: lost } as const;
  const [after, effects] = flowing(state, gone, position);
  return [after, [{ kind: "error", id: undefined, error }, ...effects]];
}

/**
 * A connection that is live and got another pace, or may see other tasks, and nothing else changed, leaves its audience for
 * that of its like.
 */
function rehoused(before: Serving, decision: Decision<Serving>, position: Position): Decision {
  const [after, effects] = decision;
  const joins = effects.some(({ kind }) => kind === "join");
  const isAlike = after.paceMs === before.paceMs && after.access.scope.key === before.access.scope.key;
  if (isAlike || after.flow.kind !== "live" || joins) return decision;
  const [again, more] = flowing(after, { kind: "lagged", cursor: position.cursor }, position);
  return [again, [...effects, { kind: "leave" }, ...more]];
}

function flowing(state: Serving, input: FlowInput, position: Position): Decision<Serving> {
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
