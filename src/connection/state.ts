import type { Access } from "../access/access.ts";
import type { ClientFrame } from "../protocol/client_frames.ts";
import type { CloseName } from "../protocol/close_codes.ts";
import type { ErrorBody, ServerData } from "../protocol/server_frames.ts";
import type { Flow, FlowEffect, FlowInput, Gap, Start } from "./flow.ts";
import type { Bucket, Rate } from "./rate_limit.ts";
import type { RefusedAccess } from "./refused_access.ts";

/** The life of a connection: `greeting (→ unknown) → open (live ⇄ behind) → draining → closed`. */
export type State =
  | { readonly kind: "greeting" }
  | Unknown
  | Serving
  | { readonly kind: "closed" };

/** Nobody knows yet whose it is: it has shown no token, and has to soon. */
export type Unknown = {
  readonly kind: "unknown";
  readonly bucket: Bucket;
  readonly flood: Flood;
  readonly strikes: readonly number[];
  /** What the handshake asked for, until it may be looked at. */
  readonly first: ClientFrame | undefined;
};

/** `draining`: the client has been told to go, and is served as before until its slot comes. */
export type Serving = {
  readonly kind: "open" | "draining";
  readonly flow: Flow;
  /** What the connection may. */
  readonly access: Access;
  readonly bucket: Bucket;
  readonly flood: Flood;
  readonly strikes: readonly number[];
  /** The least time between two flushes of progress alone that the client asked for, in ms; 0 where it did not. */
  readonly paceMs: number;
  /** How many snapshots were sent whole. Default: none. */
  readonly snapshots?: number;
};

/** So many requests beyond the rate were refused since then, ms since the epoch. */
export type Flood = { readonly refused: number; readonly sinceMs: number };

/** What answers a request. Handlers return it and perform nothing. */
export type Outcome =
  | Reply
  | {
    readonly kind: "error";
    readonly error: ErrorBody;
    /** Nothing is wrong with the message, whatever the code: it came too late, say. It then counts as no invalid one. */
    readonly isValid?: boolean;
  }
  | {
    readonly kind: "subscribe";
    readonly topics: readonly string[];
    readonly start: Start;
    /** The least time between two flushes of progress alone, in ms; what was asked before stands where it is left out. */
    readonly paceMs?: number;
  }
  | { readonly kind: "unsubscribe"; readonly topics: readonly string[] }
  | { readonly kind: "access"; readonly access: Access }
  | RefusedAccess;

/** A frame that answers a request; its id is the request's. */
export type Reply = {
  readonly [T in keyof ServerData]: {
    readonly kind: "reply";
    readonly type: T;
    readonly data: ServerData[T];
    readonly seq?: number;
  };
}[keyof ServerData];

/** What happens to a connection. `atMs` is of the clock that nobody sets. */
export type Input =
  | {
    readonly kind: "opened";
    readonly atMs: number;
    /** Absent: a token has to be shown first. */
    readonly access?: Access;
    /** What the handshake asked for, as the client would have. */
    readonly first?: ClientFrame;
  }
  | { readonly kind: "request"; readonly frame: ClientFrame; readonly cost: number; readonly atMs: number }
  | {
    readonly kind: "invalid";
    readonly id: string | undefined;
    readonly error: ErrorBody;
    readonly atMs: number;
  }
  | { readonly kind: "answer"; readonly id: string; readonly outcome: Outcome; readonly atMs: number }
  | { readonly kind: "flow"; readonly input: FlowInput }
  | { readonly kind: "rebuilt"; readonly reason: Gap["reason"]; readonly served: number }
  | { readonly kind: "drain"; readonly reconnectAfterMs: number }
  /** A task is out of sight that was not. */
  | { readonly kind: "lost"; readonly taskId: string }
  /** There are no topics of this namespace any more. */
  | { readonly kind: "withdrawn"; readonly namespace: string }
  /** The time has come that was set last. */
  | { readonly kind: "alarm" }
  | { readonly kind: "close"; readonly why: CloseName }
  | { readonly kind: "socketClosed" };

/** What is to be done; `dispatch` hands a request to its message type. */
export type Effect =
  | FlowEffect
  | { readonly kind: "welcome" }
  /** Has `alarm` come at this time, ms since the epoch, and at no other; not at all where it is undefined. */
  | { readonly kind: "setAlarm"; readonly atMs: number | undefined }
  /** Has `alarm` come when so long has passed, however the clock is set meanwhile. */
  | { readonly kind: "setAlarm"; readonly afterMs: number }
  | { readonly kind: "dispatch"; readonly frame: ClientFrame }
  | { readonly kind: "reply"; readonly id: string; readonly reply: Reply }
  | { readonly kind: "error"; readonly id: string | undefined; readonly error: ErrorBody }
  | { readonly kind: "drain"; readonly data: ServerData["drain"] }
  | { readonly kind: "close"; readonly why: CloseName };

/** The bounds a connection is held to. */
export type Limits = {
  readonly maxTopics: number;
  readonly rate: Rate;
  /** How long a connection may take to show a token, in ms. */
  readonly authMs: number;
};

/** A state that follows, and what is to be done. */
export type Decision<S extends State = State> = [S, readonly Effect[]];

/** How a connection is counted: `greeting`, `quiet`, `live`, `behind`, `draining` or `closed`. */
export function stateName(state: State): string {
  return state.kind === "open" ? state.flow.kind : state.kind;
}
