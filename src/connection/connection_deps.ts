import type { Access } from "../access/access.ts";
import type { History } from "../projection/history.ts";
import type { Projection } from "../projection/projection.ts";
import type { ClientFrame } from "../protocol/client_frames.ts";
import type { Codec } from "../protocol/codec.ts";
import type { ErrorBody, ServerData } from "../protocol/server_frames.ts";
import type { PageBatches } from "../router/page_batches.ts";
import type { Clock, Router } from "../router/router.ts";
import type { Limits, Outcome } from "./state.ts";

/** Who is connected, and how it wants its frames. */
export type Identity = {
  readonly connectionId: string;
  readonly clientId: string;
  readonly path: string;
  readonly codec: Codec;
  /** Counts the connection among those of a token's subject, where the token was shown late; says why it may not be. */
  readonly admit?: (subject: string) => ErrorBody | undefined;
};

/** What a message type may know of the connection that sent it. */
export type RequestContext = {
  readonly path: string;
  /** What the connection may. */
  readonly access: Access;
  readonly nowMs: number;
  readonly epoch: string;
  readonly head: number;
  /** The position up to which the connection has been served, where a client could resume from there. */
  readonly served: number | undefined;
};

/** The message types, as a connection needs them. */
export interface Dispatcher {
  /** Tokens that a frame of this type takes from the rate limit; undefined where no such type is registered. */
  costOf(type: string): number | undefined;
  /** Answers a frame; a handler's own failure is its rejection. */
  dispatch(frame: ClientFrame, context: RequestContext): Outcome | Promise<Outcome>;
}

/** What connections counted since the start, for `/metrics`. */
export type ConnectionCounts = {
  messages: Record<string, number>;
  errors: Record<string, number>;
  /** By the limit that was met. */
  refused: Record<string, number>;
  frames: number;
  bytes: number;
};

/** Everything a connection works with, shared by all of them. */
export type ConnectionDeps = {
  readonly projection: Projection;
  readonly history: History;
  readonly router: Router;
  readonly pageBatches: PageBatches;
  readonly messages: Dispatcher;
  readonly clock: Clock;
  readonly limits: Limits;
  /** What is the same for all of what `welcome` tells. */
  readonly welcome: Pick<ServerData["welcome"], "heartbeat" | "limits" | "partition" | "partitions">;
  readonly counts: ConnectionCounts;
  /** Told of each change of state, by name. */
  readonly moved: (from: string, to: string) => void;
  /** Told how many messages wait in a mailbox. */
  readonly noteDepth: (depth: number) => void;
  /** Notes a failure of ours; returns the incident id under which it is in the log. */
  readonly incident: (error: unknown, connectionId: string) => string;
};
