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

/** `error` itself if it is ours, else the world's failure as something that may pass. */
export function asWorkerError(error: unknown): WorkerError {
  if (error instanceof WorkerError) return error;
  return new WorkerError("unreachable", `cannot reach the log: ${messageOf(error)}`, { cause: error });
}

/** What an unknown thrown value says of itself, with the cause that libraries hide it behind. Never throws. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message || error.name;
  return error.cause instanceof Error && error.cause.message !== ""
    ? `${text} (${error.cause.message})`
    : text;
}
