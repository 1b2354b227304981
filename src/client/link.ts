/** How the connection to the gateway stands. Sockets are numbered: what a former one still says is nobody's. */
export type Link =
  | { readonly kind: "idle" }
  /** The device has no network; nothing is tried until it has. */
  | { readonly kind: "offline"; readonly attempt: number; readonly socket: number }
  /** A token is being fetched. */
  | { readonly kind: "authorizing"; readonly attempt: number; readonly socket: number }
  /** The socket is being opened, or is open and has not been greeted on. */
  | { readonly kind: "opening"; readonly attempt: number; readonly socket: number }
  | {
    readonly kind: "open";
    readonly attempt: number;
    readonly socket: number;
    readonly sinceMs: number;
    readonly heartbeat: Heartbeat;
    /** Whether a ping was sent since anything was heard. */
    readonly isAsked: boolean;
    /** When the gateway that is going away wants us back, where it said so: after `waitMs` from `saidMs` on. */
    readonly slot: { readonly saidMs: number; readonly waitMs: number } | undefined;
  }
  | {
    readonly kind: "waiting";
    readonly attempt: number;
    readonly socket: number;
    readonly dueMs: number;
    readonly why: string;
  }
  | { readonly kind: "closed"; readonly why: string; readonly code: number | undefined };

/** How often to ask whether the other side is there, and how long to wait for its word, ms. */
export type Heartbeat = { readonly intervalMs: number; readonly timeoutMs: number };

/** What happens to a link. */
export type LinkInput =
  | { readonly kind: "start" }
  | { readonly kind: "token"; readonly socket: number; readonly token: string | undefined }
  | { readonly kind: "tokenFailed"; readonly socket: number }
  /** `welcome` came. */
  | { readonly kind: "greeted"; readonly socket: number; readonly heartbeat: Heartbeat }
  /** Anything came. */
  | { readonly kind: "heard"; readonly socket: number }
  | { readonly kind: "drain"; readonly socket: number; readonly afterMs: number }
  /** By whoever ended it: `why`, where they said so. */
  | { readonly kind: "ended"; readonly socket: number; readonly code: number; readonly why: string }
  | { readonly kind: "timer"; readonly name: TimerName }
  | { readonly kind: "online" }
  | { readonly kind: "offline" }
  /** A tab that was hidden is seen again: timers may have stood still for hours. */
  | { readonly kind: "shown" }
  /** Nothing is wrong, but another connection is wanted, at once. */
  | { readonly kind: "anew" }
  /** The connection is of no use any more: another has to be made. */
  | { readonly kind: "useless"; readonly why: string }
  | { readonly kind: "close" };

/** `connect`: until greeted; `retry`: until the next try; `ping`: until the next; `dead`: until a word; `slot`: see `drain`. */
export type TimerName = "connect" | "retry" | "ping" | "dead" | "slot";

/** What the client is to do. A timer that is set again replaces itself. */
export type LinkEffect =
  | { readonly kind: "authorize"; readonly socket: number }
  | { readonly kind: "open"; readonly socket: number; readonly token: string | undefined }
  /** Close it; nothing it says from now on counts. */
  | { readonly kind: "drop"; readonly socket: number }
  | { readonly kind: "ping" }
  | { readonly kind: "up" }
  | { readonly kind: "down" }
  | { readonly kind: "over"; readonly why: string }
  | { readonly kind: "set"; readonly timer: TimerName; readonly ms: number }
  | { readonly kind: "clear"; readonly timer: TimerName };

/** Where and when a link is decided: the time, a number in [0, 1) drawn for it, and the bounds. */
export type LinkContext = {
  /** Since the epoch, as it is told to people. */
  readonly nowMs: number;
  /** By a clock that nobody sets, as waits are reckoned. */
  readonly elapsedMs: number;
  readonly chance: number;
  readonly limits: LinkLimits;
};

/** All in ms. */
export type LinkLimits = {
  /** From the first step of a connection until it is greeted. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** The first wait is at most this, default 500; each after it at most twice the one before, up to `longestWaitMs`. */
  readonly firstWaitMs?: number;
  /** Default 30,000. */
  readonly longestWaitMs?: number;
};

/** A connection that lived as long was a good one: what comes after it starts with short waits again. */
const GOOD_MS = 10_000;
/** How long the other side may take to answer who comes back from sleep, ms. */
const WAKE_MS = 5_000;

type Decision = [Link, readonly LinkEffect[]];
type Open = Extract<Link, { kind: "open" }>;

const ALL_TIMERS: readonly LinkEffect[] = (["connect", "retry", "ping", "dead", "slot"] as const)
  .map((timer) => ({ kind: "clear", timer }));

/** What a link does next. Pure. There is never more than one socket that counts. */
export function stepLink(link: Link, input: LinkInput, context: LinkContext): Decision {
  if (link.kind === "closed") return [link, []];
  if ("socket" in input && input.socket !== socketOf(link)) return [link, []];
  switch (input.kind) {
    case "start":
      return link.kind === "idle" ? begin(0, 1, context) : [link, []];
    case "token":
      return link.kind === "authorizing"
        ? [{ ...link, kind: "opening" }, [{ kind: "open", socket: link.socket, token: input.token }]]
        : [link, []];
    case "tokenFailed":
      return link.kind === "authorizing" ? retry(link, "no token could be had", context) : [link, []];
    case "greeted":
      return link.kind === "opening" ? greeted(link, input.heartbeat, context) : [link, []];
    case "heard":
      return link.kind === "open" && link.isAsked
        ? [{ ...link, isAsked: false }, [{ kind: "clear", timer: "dead" }]]
        : [link, []];
    case "drain": {
      if (link.kind !== "open") return [link, []];
      const slot = { saidMs: context.elapsedMs, waitMs: input.afterMs };
      return [{ ...link, slot }, [{ kind: "set", timer: "slot", ms: input.afterMs }]];
    }
    case "ended":
      return ended(link, input, context);
    case "timer":
      return timedOut(link, input.name, context);
    case "online":
      return link.kind === "offline" || link.kind === "waiting"
        ? begin(link.attempt, link.socket + 1, context)
        : awake(link);
    case "offline":
      return link.kind === "waiting" || link.kind === "authorizing" || link.kind === "opening"
        ? [{ kind: "offline", attempt: link.attempt, socket: link.socket }, [
          ...ALL_TIMERS,
          { kind: "drop", socket: link.socket },
        ]]
        : awake(link);
    case "shown":
      return link.kind === "waiting" ? begin(link.attempt, link.socket + 1, context) : awake(link);
    case "anew":
      return anew(link, context);
    case "useless":
      return link.kind === "open" ? retry(link, input.why, context) : [link, []];
    case "close":
      return over(link, "closed by its owner", undefined);
  }
}

function socketOf(link: Link): number | undefined {
  return link.kind === "idle" || link.kind === "closed" ? undefined : link.socket;
}

function begin(attempt: number, socket: number, { limits }: LinkContext): Decision {
  return [{ kind: "authorizing", attempt, socket }, [
    ...ALL_TIMERS,
    { kind: "set", timer: "connect", ms: limits.connectTimeoutMs ?? 10_000 },
    { kind: "authorize", socket },
  ]];
}

function greeted(
  link: Extract<Link, { kind: "opening" }>,
  heartbeat: Heartbeat,
  { elapsedMs: sinceMs }: LinkContext,
): Decision {
  const { attempt, socket } = link;
  return [{ kind: "open", attempt, socket, sinceMs, heartbeat, isAsked: false, slot: undefined }, [
    { kind: "clear", timer: "connect" },
    { kind: "set", timer: "ping", ms: heartbeat.intervalMs },
    { kind: "up" },
  ]];
}

function timedOut(link: Link, name: TimerName, context: LinkContext): Decision {
  switch (name) {
    case "retry":
      return link.kind === "waiting" ? begin(link.attempt, link.socket + 1, context) : [link, []];
    case "connect":
      return link.kind === "authorizing" || link.kind === "opening"
        ? retry(link, "the gateway did not answer in time", context)
        : [link, []];
    case "ping":
      return link.kind === "open" ? asked(link) : [link, []];
    case "dead":
      return link.kind === "open" ? retry(link, "the gateway fell silent", context) : [link, []];
    case "slot":
      return link.kind === "open" ? again(link, context) : [link, []];
  }
}

/** Asks whether the other side is there. The time to answer runs from the first question that nothing followed. */
function asked(link: Open, soonMs = Infinity): Decision {
  const { intervalMs, timeoutMs } = link.heartbeat;
  return [{ ...link, isAsked: true }, [
    { kind: "ping" },
    { kind: "set", timer: "ping", ms: intervalMs },
    ...(link.isAsked && soonMs === Infinity
      ? []
      : [{ kind: "set", timer: "dead", ms: Math.min(soonMs, timeoutMs) } as const]),
  ]];
}

/** Whoever may have slept asks at once, and gives the other side less time to answer. */
function awake(link: Link): Decision {
  return link.kind === "open" ? asked(link, WAKE_MS) : [link, []];
}

/** Leaves this connection for another at once. */
function again(link: Open, context: LinkContext): Decision {
  const [next, effects] = begin(0, link.socket + 1, context);
  return [next, [{ kind: "drop", socket: link.socket }, { kind: "down" }, ...effects]];
}

/** The same from wherever a connection is made, or waited for. */
function anew(link: Exclude<Link, { kind: "closed" }>, context: LinkContext): Decision {
  if (link.kind === "open") return again(link, context);
  if (link.kind === "idle" || link.kind === "offline") return [link, []];
  const [next, effects] = begin(link.attempt, link.socket + 1, context);
  return [next, [{ kind: "drop", socket: link.socket }, ...effects]];
}

/** Gives the socket up and waits. */
function retry(
  link: Exclude<Link, { kind: "idle" | "closed" }>,
  why: string,
  context: LinkContext,
  waitMs?: number,
): Decision {
  const { nowMs, elapsedMs, chance, limits: { firstWaitMs = 500, longestWaitMs = 30_000 } } = context;
  const wasGood = link.kind === "open" && elapsedMs - link.sinceMs >= GOOD_MS;
  const attempt = wasGood ? 0 : link.attempt;
  // Full jitter: of those whom one outage threw out, no two need come back at once.
  const ms = waitMs ?? chance * Math.min(longestWaitMs, firstWaitMs * 2 ** attempt);
  const next: Link = { kind: "waiting", attempt: attempt + 1, socket: link.socket, dueMs: nowMs + ms, why };
  return [next, [
    ...ALL_TIMERS,
    { kind: "drop", socket: link.socket },
    ...(link.kind === "open" ? [{ kind: "down" } as const] : []),
    { kind: "set", timer: "retry", ms },
  ]];
}

/** After these a gateway wants nobody back. */
const FOR_GOOD: readonly number[] = [1000, 1009, 4400, 4401];

function ended(
  link: Link,
  { code, why: said }: Extract<LinkInput, { kind: "ended" }>,
  context: LinkContext,
): Decision {
  if (link.kind !== "authorizing" && link.kind !== "opening" && link.kind !== "open") return [link, []];
  const what = link.kind === "open" ? "the connection was lost" : "the gateway could not be reached";
  const why = said || what + (code === 0 ? "" : ` (${code})`);
  if (FOR_GOOD.includes(code)) return over(link, why, code);
  const slot = link.kind === "open" ? link.slot : undefined;
  if (slot === undefined) return retry(link, why, context);
  const left = slot.saidMs + slot.waitMs - context.elapsedMs;
  return retry(link, why, context, Math.min(slot.waitMs, Math.max(0, left)));
}

function over(link: Link, why: string, code: number | undefined): Decision {
  const socket = socketOf(link);
  return [{ kind: "closed", why, code }, [
    ...ALL_TIMERS,
    ...(socket === undefined ? [] : [{ kind: "drop", socket } as const]),
    ...(link.kind === "open" ? [{ kind: "down" } as const] : []),
    { kind: "over", why },
  ]];
}
