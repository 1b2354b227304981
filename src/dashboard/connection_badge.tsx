import type { JSX } from "preact";
import { type Badge, badgeOf } from "./badge.ts";
import { useNow } from "./hooks.ts";
import { type LiveView, recentLagMs } from "./live.ts";
import { say, span } from "./reader.ts";

/** How current the page is: a shape, a colour and words. Who has it read out hears each change, and no countdown. */
export function ConnectionBadge({ live }: { readonly live: LiveView }): JSX.Element {
  const nowMs = useNow(500);
  const badge = badgeOf(live.state, { isLive: live.isLive, lagMs: recentLagMs(live.seconds), nowMs });
  return (
    <span class={`badge ${badge.kind}`} data-badge={badge.kind}>
      <span aria-hidden="true">{SHAPES[badge.kind]} {wordsFor(badge)}</span>
      <span class="hidden" role="status">{steadyWordsFor(badge)}</span>
    </span>
  );
}

function steadyWordsFor(badge: Badge): string {
  if (badge.kind === "behind") return say("badgeBehind");
  return badge.kind === "reconnecting" ? say("badgeLost") : wordsFor(badge);
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
