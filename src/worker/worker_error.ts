/** Why an event did not get into the log. */
export type WorkerErrorCode =
  /** The id or the body breaks a rule; nothing was sent. `message` names the member and the rule. */
  | "invalid"
  /** The log or the gateway will not take it: no permission, bad token, too large. Trying again does not help. */
  | "refused"
  /** Out of reach. The event may or may not be stored; given up at its deadline, or as the worker closed. */
  | "unreachable"
  /** Too many status events wait already; this one was not queued. */
  | "overloaded"
  /** The task has ended in this attempt; only `retrying()` opens the next one. */
  | "ended"
  /** The worker was closed. */
  | "closed";

/** What a worker's call rejects with when its event is not in the log. */
export class WorkerError extends Error {
  override name = "WorkerError";
  /** What kind of failure. */
  readonly code: WorkerErrorCode;
  /** How long the other side asks us to leave it alone, in ms, where it said so. */
  readonly retryAfterMs: number;

  constructor(
    code: WorkerErrorCode,
    message: string,
    options: ErrorOptions & { readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

/** `error` itself if it is ours, else the world's failure as something that may pass; `what` could not be done. */
export function asWorkerError(error: unknown, what = "cannot reach the log"): WorkerError {
  if (error instanceof WorkerError) return error;
  return new WorkerError("unreachable", `${what}: ${messageOf(error)}`, { cause: error });
}

/** What an unknown thrown value says of itself, with the cause that `fetch` hides it behind. Never throws. */
export function messageOf(error: unknown): string {
  const text = textOf(error);
  const cause = error instanceof Error && error.cause !== undefined ? textOf(error.cause) : "";
  return cause === "" || text.includes(cause) ? text : `${text} (${cause})`;
}

/** Node's refused connections have a code and no message. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ("code" in error && typeof error.code === "string" ? error.code : error.name);
}
