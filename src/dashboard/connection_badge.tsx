import type { JSX } from "preact";
import { type Badge, badgeOf } from "./badge.ts";
import { useNow } from "./hooks.ts";
import { type LiveView, recentLagMs } from "./live.ts";
import { say, span } from "./reader.ts";

/** How current the page is: a shape, a colour and words. */
export function ConnectionBadge({ live }: { readonly live: LiveView }): JSX.Element {
  const nowMs = useNow(500);
  const badge = badgeOf(live.state, { isLive: live.isLive, lagMs: recentLagMs(live.seconds), nowMs });
  return (
    <span class={`badge ${badge.kind}`} role="status" data-badge={badge.kind}>
      <i aria-hidden="true">{SHAPES[badge.kind]}</i> {wordsFor(badge)}
    </span>
  );
}

const SHAPES: Readonly<Record<Badge["kind"], string>> = {
  connecting: "◌",
  live: "●",
  behind: "◐",
  reconnecting: "↻",
  offline: "▢",
  closed: "✕",
};

function wordsFor(badge: Badge): string {
  switch (badge.kind) {
    case "connecting":
      return say("badgeConnecting");
    case "live":
      return say("badgeLive");
    case "behind":
      return badge.lagMs === null ? say("badgeBehind") : say("badgeBehindBy", { lag: span(badge.lagMs) });
    case "reconnecting":
      return say("badgeReconnecting", { seconds: badge.inSeconds });
    case "offline":
      return say("badgeOffline");
    case "closed":
      return say("badgeClosed", { why: badge.why });
  }
}
