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
export function problemResponse({ status, code, detail, details = {}, headers = {} }: Problem): Response {
  const title = STATUS_CODES[status] ?? "Error";
  return new Response(JSON.stringify({ type: "about:blank", title, status, detail, code, details }), {
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

/** Something that the request needs is not there now; it may be after `retryAfterMs`. */
export function unavailable(
  code: ErrorCode,
  detail: string,
  details: Readonly<Record<string, unknown>> = {},
): Problem {
  const retryAfterMs = 1_000;
  return {
    status: 503,
    code,
    detail,
    details: { retry_after_ms: retryAfterMs, ...details },
    headers: { "retry-after": String(retryAfterMs / 1_000) },
  };
}

/** The answer to a request too many; the next may come after `retryAfterMs`. */
export function tooManyRequests(retryAfterMs: number): Response {
  return problemResponse({
    status: 429,
    code: "RATE_LIMITED",
    detail: "too many requests",
    details: { retry_after_ms: retryAfterMs },
    headers: { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) },
  });
}

/** Rightly asked, and not to be had all the same: 410 what is gone by now, 409 what is not as it would have to be. */
export function refused({ code, message: detail, details }: ErrorBody): Problem {
  if (code === "LIMIT_EXCEEDED") return { status: 410, code, detail, details };
  if (code === "INVALID_MESSAGE") return { status: 409, code, detail, details };
  const { retry_after_ms: retryAfterMs } = details;
  const headers = typeof retryAfterMs === "number"
    ? { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) }
    : {};
  return { status: ERROR_CODES[code].httpStatus, code, detail, details, headers };
}
