import type { Link } from "./link.ts";

/** How the connection stands, as far as anybody outside needs it. */
export type ConnectionState =
  | { readonly kind: "connecting" }
  | { readonly kind: "open" }
  /** Until `retryAtMs` (ms since the epoch) nothing is tried, or until the network is back. */
  | { readonly kind: "waiting"; readonly retryAtMs: number | undefined; readonly why: string }
  /** For good: `code` is the close code of the gateway that does not want the client back. */
  | { readonly kind: "closed"; readonly why: string; readonly code: number | undefined };

/** What is told of a link. */
export function stateOf(link: Link): ConnectionState {
  switch (link.kind) {
    case "idle":
    case "authorizing":
    case "opening":
      return { kind: "connecting" };
    case "open":
      return { kind: "open" };
    case "offline":
      return { kind: "waiting", retryAtMs: undefined, why: "offline" };
    case "waiting":
      return { kind: "waiting", retryAtMs: link.dueMs, why: link.why };
    case "closed":
      return { kind: "closed", why: link.why, code: link.code };
  }
}

/** Whether nothing is to be told. */
export function sameState(one: ConnectionState, other: ConnectionState): boolean {
  if (one.kind === "waiting" && other.kind === "waiting") return one.retryAtMs === other.retryAtMs;
  return one.kind === other.kind;
}
