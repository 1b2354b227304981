/** Every close code we send, and whether a client should come back after it. */
export const CLOSE_CODES = {
  normal: { code: 1000, reason: "normal", reconnect: "no" },
  tooBig: { code: 1009, reason: "message too big", reconnect: "no" },
  internal: { code: 1011, reason: "internal error", reconnect: "backoff" },
  restart: { code: 1012, reason: "service restart", reconnect: "slot" },
  overloaded: { code: 1013, reason: "overloaded, try later", reconnect: "backoff" },
  invalidFrames: { code: 4400, reason: "too many invalid frames", reconnect: "no" },
  unauthorized: { code: 4401, reason: "unauthorized", reconnect: "no" },
  tokenExpired: { code: 4402, reason: "token expired", reconnect: "fresh token" },
  idle: { code: 4408, reason: "idle: no traffic and no pong", reconnect: "backoff" },
  limited: { code: 4429, reason: "rate or connection limit", reconnect: "backoff" },
} as const;

/** A row of {@link CLOSE_CODES}. */
export type CloseName = keyof typeof CLOSE_CODES;
