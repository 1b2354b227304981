import type { ConnectionState } from "../client/client.ts";

/** How current what is shown is, in one word. */
export type Badge =
  | { readonly kind: "connecting" | "live" | "offline" }
  /** What was missed is still being read, or comes `lagMs` late. */
  | { readonly kind: "behind"; readonly lagMs: number | null }
  | { readonly kind: "reconnecting"; readonly inSeconds: number }
  | { readonly kind: "closed"; readonly why: string };

/** From here on what comes late is called so, ms. */
const LATE_MS = 3_000;

/** What the badge says; `isLive`: everything missed is there; `lagMs`: how late the last frames came, null while quiet. */
export function badgeOf(
  state: ConnectionState,
  { isLive, lagMs, nowMs }: {
    readonly isLive: boolean;
    readonly lagMs: number | null;
    readonly nowMs: number;
  },
): Badge {
  switch (state.kind) {
    case "connecting":
      return { kind: "connecting" };
    case "waiting":
      return state.retryAtMs === undefined
        ? { kind: "offline" }
        : { kind: "reconnecting", inSeconds: Math.max(Math.ceil((state.retryAtMs - nowMs) / 1_000), 0) };
    case "closed":
      return { kind: "closed", why: state.why };
    case "open":
      return !isLive || (lagMs !== null && lagMs > LATE_MS) ? { kind: "behind", lagMs } : { kind: "live" };
  }
}
