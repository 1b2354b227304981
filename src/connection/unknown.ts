import type { Access } from "../access/access.ts";
import type { RefusedAccess } from "./refused_access.ts";
import { closing, requested, struck } from "./requests.ts";
import type { Decision, Effect, Input, Limits, Serving, Unknown } from "./state.ts";

const UNAUTHORIZED = { code: "UNAUTHORIZED", details: {} } as const;

type Ending = Pick<RefusedAccess, "error" | "close">;

const UNSHOWN: Ending = {
  error: { ...UNAUTHORIZED, message: "no token was shown in time" },
  close: "unauthorized",
};

/** It is known whose the connection is: it is greeted, and what its handshake asked for is looked at. */
export function known(
  { bucket, flood, strikes, first }: Unknown,
  access: Access,
  reply: readonly Effect[] = [],
): Decision<Serving> {
  const state: Serving = { kind: "open", flow: { kind: "quiet" }, access, bucket, flood, strikes, paceMs: 0 };
  const asked: Effect[] = first === undefined ? [] : [{ kind: "dispatch", frame: first }];
  return [state, [{ kind: "welcome" }, ...reply, alarmOf(access), ...asked]];
}

/** Nothing is listened to but `auth`. */
export function stepUnknown(state: Unknown, input: Input, limits: Limits): Decision {
  switch (input.kind) {
    case "request": {
      if (input.frame.type === "auth") return requested(state, input, limits);
      const message = "the connection has to show a token first, by auth";
      return struck(state, { id: input.frame.id, error: { ...UNAUTHORIZED, message }, atMs: input.atMs });
    }
    case "invalid":
      return struck(state, input);
    case "answer":
      return shown(state, input);
    case "alarm":
      return closing(state, { ...UNSHOWN, id: undefined });
    case "drain":
      return [{ kind: "closed" }, [{ kind: "close", why: "restart" }]];
    case "close":
      return [{ kind: "closed" }, [{ kind: "close", why: input.why }]];
    case "socketClosed":
      return [{ kind: "closed" }, []];
    case "opened":
    case "flow":
    case "lost":
    case "withdrawn":
    case "rebuilt":
      return [state, []];
  }
}

/** What came of the token that was shown first. */
function shown(state: Unknown, { outcome, id, atMs }: Extract<Input, { kind: "answer" }>): Decision {
  switch (outcome.kind) {
    case "access":
      return known(state, outcome.access, [authenticated(id, outcome.access)]);
    case "refusedAccess":
      return closing(state, { ...outcome, id });
    case "error":
      return outcome.error.code === "INVALID_MESSAGE"
        ? struck(state, { id, error: outcome.error, atMs })
        : [state, [{ kind: "error", id, error: outcome.error }]];
    case "reply":
    case "subscribe":
    case "unsubscribe":
      return [state, []];
  }
}

/** Has what is to be known at the end of an access known then. */
export function alarmOf({ expiresAtMs }: Access): Effect {
  return { kind: "setAlarm", atMs: expiresAtMs };
}

/** What tells that a token was taken. */
export function authenticated(id: string, { expiresAtMs }: Access): Effect {
  const data = expiresAtMs === undefined ? {} : { expires_at: expiresAtMs };
  return { kind: "reply", id, reply: { kind: "reply", type: "authenticated", data } };
}
