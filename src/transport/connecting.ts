import type { Gate } from "../access/gate.ts";
import type { Connection } from "../connection/connection.ts";
import type { ConnectionDeps } from "../connection/connection_deps.ts";
import type { Admission } from "./admission.ts";
import type { Trusted } from "./client_address.ts";
import type { RateLimits } from "./rate_limits.ts";

/** What holds for connections of all kinds. */
export type ConnectingOptions = {
  /** What connections work with; asked for only while `unready` has nothing to say. */
  readonly deps: () => ConnectionDeps;
  /** Who may come in. */
  readonly gate: Gate;
  /** Counts the connections, of all kinds. */
  readonly admission: Admission;
  /** How often an address may come. */
  readonly handshakes: RateLimits;
  /** Proxies that are believed about whom they speak for. */
  readonly trustedProxies: Trusted | undefined;
  /** Told of each limit that somebody met. */
  readonly refused: (limit: string) => void;
  /** A peer silent for so long is pinged; silent for `idleMs`, it is closed. */
  readonly heartbeatMs: number;
  readonly idleMs: number;
  /** Why nobody can be served at present; undefined when all is well. */
  readonly unready: () => string | undefined;
  readonly newId: () => string;
  /** Called for each connection that was opened; what it returns is called with the code when it is closed. */
  readonly onOpen: (
    about: { readonly connection: Connection; readonly path: string },
  ) => (code: number) => void;
};

/** So many times longer may a peer take that has not taken yet what was written to it: 700 bytes a second will do. */
export const STALLED_FACTOR = 5;
