/** Why something that was asked of the client did not come about. */
export type ClientErrorCode =
  /** The gateway answered with an error frame; `code` is its own. */
  | "INVALID_MESSAGE"
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "TOPIC_NOT_FOUND"
  | "TASK_NOT_FOUND"
  | "LIMIT_EXCEEDED"
  | "RATE_LIMITED"
  | "SERVER_ERROR"
  /** No answer came in time. */
  | "TIMEOUT"
  /** More was asked while there was no connection than is kept. */
  | "QUEUE_FULL"
  /** The client was closed, or the gateway does not want it back. */
  | "CLOSED";

/** The world's failure, as the promises of the client reject with it. */
export class ClientError extends Error {
  override name = "ClientError";
  /** What kind of failure. */
  readonly code: ClientErrorCode;
  /** What the gateway said of it. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ClientErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** Whether the same may well be answered a little later. */
export function isPassing(code: ClientErrorCode): boolean {
  return code === "SERVER_ERROR" || code === "RATE_LIMITED";
}
