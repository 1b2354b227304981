import type { Duplex } from "node:stream";

const REASONS = {
  403: "Forbidden",
  404: "Not Found",
  429: "Too Many Requests",
  503: "Service Unavailable",
} as const;

/** Answers an upgrade over plain HTTP, and hangs up: a peer that stays would be nobody's connection. */
export function refuseUpgrade(
  stream: Duplex,
  status: keyof typeof REASONS,
  detail: string,
  wait?: { readonly retryAfterMs: number },
): void {
  const body = JSON.stringify({ type: "about:blank", title: REASONS[status], status, detail });
  stream.once("finish", () => stream.destroy());
  const retry = wait === undefined ? "" : `Retry-After: ${Math.ceil(wait.retryAfterMs / 1_000)}\r\n`;
  stream.end(
    `HTTP/1.1 ${status} ${REASONS[status]}\r\nConnection: close\r\n${retry}` +
      `Content-Type: application/problem+json\r\nContent-Length: ${
        new TextEncoder().encode(body).length
      }\r\n\r\n${body}`,
  );
}
