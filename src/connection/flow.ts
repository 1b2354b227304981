import type { Payload } from "../protocol/codec.ts";
import type { ServerData } from "../protocol/server_frames.ts";
import type { ReplayPage } from "../projection/history.ts";
import type { Held } from "../projection/interest.ts";
import type { Told } from "../projection/forgotten.ts";
import type { Removals } from "../projection/removals.ts";
import type { SnapshotFrame } from "../router/snapshot.ts";

/** What a subscription starts with. */
export type Start =
  | { readonly kind: "none" }
  | { readonly kind: "latest" }
  /** The whole retained history; `from` is the position before its first record. */
  | { readonly kind: "all"; readonly epoch: string; readonly from: number; readonly truncated: boolean }
  /** Everything after a cursor that the log still has. */
  | { readonly kind: "since"; readonly epoch: string; readonly seq: number }
  /** A cursor that the log has not: the client is told, and gets the present state. */
  | { readonly kind: "gap"; readonly gap: Gap };

/** Positions that a client will never see, and why. */
export type Gap = Pick<ServerData["gap"], "missed_from" | "missed_to" | "reason">;

/**
 * A snapshot that is being sent: the present state, as of `at`, of what `topics` match. `asked` are those it was begun
 * with, by whose identity it is known: some of them may not be held any more.
 */
export type Walk = {
  readonly asked: readonly string[];
  readonly topics: readonly string[];
  readonly at: number;
};

/**
 * What a connection is served, and how far it has been. A connection is a cursor on the log: everything that its
 * topics held at `cursor` match has been written to it. A late joiner, a returning client and a slow reader are one
 * case, `behind`: they read snapshots and pages at the pace of their socket until they reach the head and go live.
 */
export type Flow =
  | { readonly kind: "quiet" }
  | { readonly kind: "live"; readonly held: Held }
  | {
    readonly kind: "behind";
    readonly held: Held;
    readonly cursor: number;
    readonly walks: readonly Walk[];
    /** Topics whose history was asked for whole: nothing of it is merged. */
    readonly whole: ReadonlySet<string>;
    /** Those of `whole` of which nothing was read yet. */
    readonly unread: ReadonlySet<string>;
    /** Topics whose replay is to be reported over by `caught_up`. */
    readonly announce: readonly string[];
    /** How far it was told of tasks that left `task:list`. */
    readonly told: Told;
    /** Up to here there is nothing after `cursor` but progress that the connection's pace has wait. */
    readonly waitsTo?: number;
  };

/**
 * Where the log and the connection stand when an input is decided; `cursor` is meaningful while live, and so is `waits`:
 * there is nothing after it but progress that the connection's pace has wait. `told` is how far it was told of `removals`.
 */
export type Position = {
  readonly epoch: string;
  readonly head: number;
  readonly cursor: number;
  readonly waits?: boolean;
  readonly told: Told;
  readonly removals: Pick<Removals, "count" | "covers" | "toldBy">;
};

/** What happens to a flow. */
export type FlowInput =
  | {
    readonly kind: "subscribe";
    readonly requestId: string;
    readonly topics: readonly string[];
    readonly start: Start;
  }
  | {
    readonly kind: "unsubscribe";
    /** Absent where nobody asked. */
    readonly requestId: string | undefined;
    readonly topics: readonly string[];
  }
  /** The page that was asked for; one that is not wanted any more is ignored. */
  | { readonly kind: "page"; readonly wanted: Wanted; readonly page: ReplayPage }
  /** A chunk of a snapshot. */
  | {
    readonly kind: "walked";
    readonly walk: Walk;
    readonly frames: readonly SnapshotFrame[];
    readonly done: boolean;
  }
  /** The socket did not drain: the audience let the connection go, served up to `cursor`. */
  | { readonly kind: "lagged"; readonly cursor: number }
  /** The projection was built anew: positions before `head` are out of reach, or of another epoch. */
  | { readonly kind: "rebuilt"; readonly reason: Gap["reason"]; readonly served: number };

/**
 * Which page is to be read: what follows `after`, up to `upTo`, which is as far as those who are live were handed
 * events. `tasks` are those that what is being caught up on is limited to; absent when it is not.
 */
export type Wanted = {
  readonly after: number;
  readonly upTo: number;
  readonly tasks?: ReadonlySet<string>;
};

/** What the connection is to do. */
export type FlowEffect =
  | {
    readonly kind: "tell";
    readonly type: "subscribed" | "unsubscribed";
    readonly requestId: string | undefined;
    readonly data: ServerData["subscribed"];
  }
  | { readonly kind: "gap"; readonly data: ServerData["gap"] }
  | { readonly kind: "caughtUp"; readonly data: ServerData["caught_up"] }
  | { readonly kind: "leave" }
  | { readonly kind: "join"; readonly held: Held; readonly cursor: number }
  | { readonly kind: "readPage"; readonly wanted: Wanted; readonly held: Held }
  | { readonly kind: "walk"; readonly walk: Walk }
  | {
    readonly kind: "deliver";
    readonly page: ReplayPage;
    readonly held: Held;
    readonly whole: ReadonlySet<string>;
    /** The tasks to tell of that left `task:list` within the page; absent where there are none. */
    readonly removed?: { readonly told: Told; readonly until: number };
  }
  /** Tasks that left `task:list` after this are to be told of. */
  | { readonly kind: "removed"; readonly told: Told }
  | { readonly kind: "write"; readonly payloads: readonly Payload[] };

/** A flow that has not reached the head. */
export type Behind = Extract<Flow, { kind: "behind" }>;

/** The topic of which tasks there are. */
export const LIST = "task:list";

/** The topics held, sorted. */
export function heldTopics(flow: Flow): string[] {
  return flow.kind === "quiet" ? [] : [...flow.held.keys()].sort();
}

/**
 * The position from which this client could resume without losing anything, or undefined while a snapshot is under
 * way, which no position stands for.
 */
export function safeCursor(flow: Flow, position: Position): number | undefined {
  switch (flow.kind) {
    case "quiet":
      return position.head;
    case "live":
      return position.cursor;
    case "behind":
      return flow.walks.length > 0 ? undefined : flow.cursor;
  }
}
