import type { AccessError } from "../access/authenticator.ts";
import type { CloseName } from "../protocol/close_codes.ts";
import type { ErrorBody } from "../protocol/server_frames.ts";

/** Why there is no access, and how a connection ends that has none. */
export type RefusedAccess = {
  readonly kind: "refusedAccess";
  readonly error: ErrorBody;
  readonly close: CloseName;
};

const CLOSES = { invalid: "unauthorized", expired: "tokenExpired", unavailable: "overloaded" } as const;

/** What somebody is told whose token opens nothing. */
export function refusedBy({ code, message }: AccessError): RefusedAccess {
  const error: ErrorBody = code === "unavailable"
    ? { code: "SERVER_ERROR", message, details: { retry_after_ms: 1_000 } }
    : { code: "UNAUTHORIZED", message, details: {} };
  return { kind: "refusedAccess", error, close: CLOSES[code] };
}
