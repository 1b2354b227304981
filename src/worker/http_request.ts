import { abortable, type Clock } from "./clock.ts";
import { asWorkerError, WorkerError } from "./worker_error.ts";

/** A gateway's answer, read to its end. */
export type Answer = {
  readonly status: number;
  readonly body: string;
  /** What `Retry-After` asks for, in ms; 0 where it asks for nothing. */
  readonly retryAfterMs: number;
};

/** Bearer token, or what gives a fresh one for each request. */
export type Token = string | (() => string | Promise<string>);

/** How long an answer is waited for, in ms. */
const ANSWER_TIMEOUT_MS = 10_000;

/** The longest a gateway can send us away for, in ms. */
const LONGEST_RETRY_AFTER_MS = 60_000;

/** Asks once. Rejects with a {@link WorkerError} `unreachable` when there is no answer, whatever the reason. */
export async function ask(
  url: URL,
  init: { readonly method: string; readonly headers?: Record<string, string>; readonly body?: string },
  by: { readonly clock: Clock; readonly token: Token | undefined; readonly signal: AbortSignal },
): Promise<Answer> {
  const given = new AbortController();
  const timeout = new WorkerError(
    "unreachable",
    `${url.origin} did not answer within ${ANSWER_TIMEOUT_MS} ms`,
  );
  const stopTimer = by.clock.after(ANSWER_TIMEOUT_MS, () => given.abort(timeout));
  const abort = () => given.abort(by.signal.reason);
  by.signal.addEventListener("abort", abort, { once: true });
  try {
    by.signal.throwIfAborted();
    const token = typeof by.token === "function"
      ? await abortable(Promise.resolve(by.token()), given.signal)
      : by.token;
    const headers = { ...init.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    const response = await fetch(url, { ...init, headers, signal: given.signal });
    const body = await response.text();
    const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), by.clock.now());
    return { status: response.status, body, retryAfterMs };
  } catch (error) {
    throw asWorkerError(given.signal.aborted ? given.signal.reason : error, `cannot reach ${url.origin}`);
  } finally {
    stopTimer();
    by.signal.removeEventListener("abort", abort);
  }
}

/** What a `Retry-After` header asks for, in ms from `nowMs`: seconds or a date, never above a minute; 0 for neither. */
export function parseRetryAfter(value: string | null, nowMs: number): number {
  if (value === null) return 0;
  const ms = /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? 0 : Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, ms));
}
