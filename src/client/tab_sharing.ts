import type { Clock } from "./clock.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { OpenSocket } from "./socket.ts";
import type { Source, Subscription } from "./source.ts";
import type { Cursor } from "./topic_request.ts";
import type { Watch } from "./watch.ts";

/** Whose connection a client uses: its own, its own that other tabs share, or another tab's. */
export type TabRole = "own" | "leading" | "following";

/** Makes a client one of those that share. Undefined where it cannot be: then it has a connection of its own. */
export type Tabs = (connection: OwnConnection) => TabShare | undefined;

/** How a client would connect by itself. */
export type OwnConnection = {
  readonly url: string;
  readonly clientId?: string;
  /** Where it has one, it shares with nobody unless it is said whose connection that is. */
  readonly token?: unknown;
  readonly clock: Clock;
  readonly open: OpenSocket;
};

/** The place of a client among those that share. */
export interface TabShare {
  readonly role: TabRole;
  /** What the client opens its sockets with: to it the other tabs are a network. */
  readonly open: OpenSocket;
  /** How the connection stands: who is linked to a leader is as connected as that one. */
  shown(own: ConnectionState): ConnectionState;
  /** Joins the others. The client opens nothing before. */
  begin(client: SharedClient): void;
}

/** What somebody wants to see. */
export type Asking = Omit<Watch, "told">;

/** What the client of a tab that leads gives to the others, and what moves it from one connection to another. */
export interface SharedClient extends Source {
  /** Up to where what it holds was brought. */
  readonly cursor: Cursor | undefined;
  /** Whether what comes is of so long ago that nothing is live, for all that is known. */
  readonly isLate: boolean;
  /** As `subscribe`. Whoever is told must not throw. */
  watch(asking: Asking): Subscription;
  /**
   * Watches what was brought up to `since` elsewhere: what follows there comes first. Undefined where a topic of it is just
   * being asked for otherwise: then it cannot be now.
   */
  resume(askings: readonly Asking[], since: Cursor): readonly Subscription[] | undefined;
  /** Asks the gateway; resolves with the data of its answer, or rejects with a `ClientError`. */
  ask(type: string, data: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Leaves the connection that there is, and makes another at once. */
  anew(): void;
  /** Says that what comes is late elsewhere, before it comes here; or is so no more. */
  late(isLate: boolean): void;
  /** Tells how the connection stands, where that has changed. */
  tellState(): void;
}
