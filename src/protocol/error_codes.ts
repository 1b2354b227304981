/** Every error code a client can meet, on the socket and in HTTP problem documents, with its HTTP status. */
export const ERROR_CODES = {
  INVALID_MESSAGE: { httpStatus: 400, meaning: "the message does not follow the protocol" },
  UNAUTHORIZED: { httpStatus: 401, meaning: "no valid token was given" },
  FORBIDDEN: { httpStatus: 403, meaning: "the token does not carry that right" },
  TOPIC_NOT_FOUND: { httpStatus: 404, meaning: "no such topic; details.topics lists the offenders" },
  TASK_NOT_FOUND: { httpStatus: 404, meaning: "no event of that task is in the log" },
  LIMIT_EXCEEDED: {
    httpStatus: 413,
    meaning: "a bound was reached; details.limit names it, details.max is it",
  },
  RATE_LIMITED: { httpStatus: 429, meaning: "too many messages; details.retry_after_ms says when to go on" },
  SERVER_ERROR: { httpStatus: 500, meaning: "our fault; details.incident is in the server's log" },
} as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;
