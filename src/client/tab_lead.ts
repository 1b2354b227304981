/**
 * How a tab stands among those that share a connection. Who leads has the connection, and the lock that all of them queue
 * for; the others are served by it.
 */
export type Lead =
  /** The page was left or frozen, or the client closed: nothing is held that others might wait for. */
  | { readonly kind: "away" }
  /** In the queue for the lock, which `leader` has: undefined until that was heard of. */
  | {
    readonly kind: "following";
    readonly leader: string | undefined;
    readonly hiddenAtMs: number | undefined;
  }
  | { readonly kind: "leading" }
  /** It has a connection of its own, and nothing to do with the others. */
  | { readonly kind: "alone" };

/** What happens to a tab. */
export type LeadInput =
  /** The client begins, or the page is back. */
  | "arrive"
  | "leave"
  /** It has the lock. */
  | "granted"
  /** Another tab took the lock away, maybe before this one knew that it had it. */
  | "robbed"
  /** Somebody asks who leads. */
  | "asked"
  /** Nothing comes from the leader any more. */
  | "lost"
  /** The page was shown or hidden. */
  | "turned"
  /** The time of {@link waitMs} is over. */
  | "waited"
  /** The leader has no room for it, or the browser does not let it share. */
  | "excluded"
  /** A leader tells of itself, and since when its page is hidden, ms since the epoch. */
  | { readonly leader: string; readonly hiddenAtMs: number | undefined };

/** What a tab is to do. */
export type LeadEffect =
  /** Queue for the lock. */
  | "queue"
  /** Take the lock, whoever has it. That is granted soon, or tried again after a while. */
  | "steal"
  /** Leave the queue, or give the lock back. */
  | "release"
  /** Ask who leads. */
  | "ask"
  /** Say that this is the leader. */
  | "announce"
  /** Give up the connection there is; the client comes back at once, by the way that is right now. */
  | "move";

/** A leader that lives answers at once; one that does not within this is robbed of the lock, ms. */
const ANSWER_MS = 3_000;
/** Who looks at another tab for a moment leaves the lead where it is, ms. Browsers slow hidden pages down much later. */
const HIDDEN_MS = 10_000;

const ASKING: Lead = { kind: "following", leader: undefined, hiddenAtMs: undefined };

/** What a tab does next. Pure. Nobody leads without the lock, and whoever leaves lets its connection go before the lock. */
export function stepLead(lead: Lead, input: LeadInput): [Lead, readonly LeadEffect[]] {
  const { kind } = lead;
  if (typeof input === "object") {
    if (kind !== "following") return [lead, []];
    return [{ kind, ...input }, input.leader === lead.leader ? [] : ["move"]];
  }
  switch (input) {
    case "arrive":
      return kind === "away" ? [ASKING, ["queue", "ask"]] : [lead, []];
    case "leave":
      return kind === "away" ? [lead, []] : [{ kind: "away" }, ["move", "release"]];
    case "granted":
      return kind === "following" ? [{ kind: "leading" }, ["announce", "move"]] : [lead, ["release"]];
    case "robbed":
      if (kind === "leading") return [ASKING, ["move", "queue", "ask"]];
      return [lead, kind === "following" ? ["queue"] : []];
    case "lost":
      return kind === "following" ? [ASKING, ["ask"]] : [lead, []];
    case "waited":
      return kind === "following" ? [ASKING, ["steal"]] : [lead, []];
    case "excluded":
      return kind === "following" ? [{ kind: "alone" }, ["move", "release"]] : [lead, []];
    case "asked":
    case "turned":
      return [lead, kind === "leading" ? ["announce"] : []];
  }
}

/**
 * How long a tab leaves the lock to another, from now; undefined: for as long as that wants it. A page that is seen does
 * not depend on one that is hidden for long: the browser lets that one sleep.
 */
export function waitMs(lead: Lead, nowMs: number, isSeen: boolean): number | undefined {
  if (lead.kind !== "following") return undefined;
  if (lead.leader === undefined) return ANSWER_MS;
  return lead.hiddenAtMs !== undefined && isSeen
    ? Math.max(0, lead.hiddenAtMs + HIDDEN_MS - nowMs)
    : undefined;
}
