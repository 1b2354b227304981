import { STATUS_CODES } from "node:http";
import { ERROR_CODES, type ErrorCode } from "../protocol/error_codes.ts";
import type { ErrorBody } from "../protocol/server_frames.ts";

/** Why a request is not served. `code` and `details` are those of the error frame that the socket would send. */
export type Problem = {
  readonly status: number;
  readonly code: ErrorCode;
  /** One sentence about this occurrence. */
  readonly detail: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
};

/** The problem as a document, RFC 9457. The kinds of problems are told by `code`, so `type` is `about:blank`. */
export function problemText({ status, code, detail, details = {} }: Problem): string {
  const title = STATUS_CODES[status] ?? "Error";
  return JSON.stringify({ type: "about:blank", title, status, detail, code, details });
}

/** The answer that is {@link problemText}. */
export function problemResponse(problem: Problem): Response {
  const { status, headers = {} } = problem;
  return new Response(problemText(problem), {
    status,
    headers: { ...headers, "content-type": "application/problem+json" },
  });
}

/** A request that breaks a rule; `rule` names the member and the rule. */
export function invalid(rule: string, details: Readonly<Record<string, unknown>> = {}): Problem {
  return { status: 400, code: "INVALID_MESSAGE", detail: rule, details };
}

/** A request above a bound. */
export function tooLarge(
  limit: string,
  max: number,
  details: Readonly<Record<string, unknown>> = {},
): Problem {
  return {
    status: 413,
    code: "LIMIT_EXCEEDED",
    detail: `${limit} must be at most ${max}`,
    details: { limit, max, ...details },
  };
}

/** Something that the request needs is not there now; it may be in a second. */
export function unavailable(
  code: ErrorCode,
  detail: string,
  details: Problem["details"] = {},
): Problem {
  const told = { retry_after_ms: 1_000, ...details };
  return { status: 503, code, detail, details: told, headers: retryAfter(told) };
}

/** A request too many; the next may come after `retryAfterMs`. */
export function tooManyRequests(retryAfterMs: number, detail = "too many requests"): Problem {
  const details = { retry_after_ms: retryAfterMs };
  return { status: 429, code: "RATE_LIMITED", detail, details, headers: retryAfter(details) };
}

/** Rightly asked, and not to be had all the same: 410 what is gone by now, 409 what is not as it would have to be. */
export function refused({ code, message: detail, details }: ErrorBody): Problem {
  if (code === "LIMIT_EXCEEDED") return { status: 410, code, detail, details };
  if (code === "INVALID_MESSAGE") return { status: 409, code, detail, details };
  return { status: ERROR_CODES[code].httpStatus, code, detail, details, headers: retryAfter(details) };
}

/** The header that says when to come again, where the details do. */
export function retryAfter({ retry_after_ms: ms }: ErrorBody["details"]): Readonly<Record<string, string>> {
  return typeof ms === "number" ? { "retry-after": String(Math.ceil(ms / 1_000)) } : {};
}
