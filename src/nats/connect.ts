import { isIP } from "node:net";
import { connect, type ConnectionOptions, type NatsConnection } from "nats.ws";
import { authenticatorOf, type Credentials } from "./credentials.ts";
import { parseServers, type Servers } from "./servers.ts";
import { openTcpSocket, TlsError } from "./tcp_socket.ts";
import { openWebSocket } from "./websocket.ts";
import { deferred } from "./deferred.ts";

/** Where NATS is and who we are there. */
export type NatsOptions = Credentials & {
  /** `nats://`, `tls://`, `ws://` or `wss://`; several of one family, comma-separated. May carry user and password. */
  readonly url: string;
  /** What the server calls this client in its monitoring. */
  readonly name?: string;
  /** Where answers come in, for an account that may not listen on all of `_INBOX.>`. Default: `_INBOX`. */
  readonly inboxPrefix?: string;
};

/** How a connection is sought. */
export type Trying = {
  /** How long to go on trying to reach a server, ms. Default: for ever. */
  readonly withinMs?: number;
  /** Ends the trying; the promise rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Told of every try that failed. */
  readonly onWaiting?: (why: NatsConnectError) => void;
  /** Whether to go on though a server refuses us: its users, or our creds file, may be about to change. Default: false. */
  readonly thoughRefused?: boolean;
};

/** Why there is no connection. */
export type NatsConnectErrorCode =
  /** The options make no sense. */
  | "invalid"
  /** A server answered and refused us: wrong credentials, TLS wanted or missing. Trying again does not help by itself. */
  | "refused"
  /** No server answered. */
  | "unreachable";

/** There is no connection to NATS. `message` names the servers, never a secret. */
export class NatsConnectError extends Error {
  override name = "NatsConnectError";
  readonly code: NatsConnectErrorCode;

  constructor(code: NatsConnectErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** How long one try may take: a dead host never answers, and the next server is waiting. */
const DIAL_MS = 5_000;
/** Waiting between two tries, at least and at most. Short, so that the log is back within a second of its server. */
const RETRY_MS = { least: 150, most: 400 };
/** A server is taken for dead after three of these without an answer. */
const PING_MS = 3_000;

/**
 * Connects, trying until a server is there or `withinMs` is over. The connection reconnects by itself, for ever. Rejects
 * with {@link NatsConnectError}: at once when a server refuses us, unless `thoughRefused`.
 */
export async function connectNats(options: NatsOptions, trying: Trying = {}): Promise<NatsConnection> {
  return await seek(dialerOf(options, { reconnect: true }), trying);
}

/** Tries each server in turn, once; the connection is of whichever answers first. */
export type Dialer = {
  readonly servers: Servers;
  dial(timeoutMs: number): Promise<NatsConnection>;
};

/** What it takes to connect, checked: throws {@link NatsConnectError} "invalid" when the options make no sense. */
export function dialerOf(options: NatsOptions, { reconnect }: { readonly reconnect: boolean }): Dialer {
  try {
    return checkedDialer(options, parseServers(options.url), reconnect);
  } catch (cause) {
    throw new NatsConnectError("invalid", cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function checkedDialer(options: NatsOptions, servers: Servers, reconnect: boolean): Dialer {
  const authenticator = authenticatorOf(options, servers);
  const common = {
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.inboxPrefix === undefined ? {} : { inboxPrefix: options.inboxPrefix }),
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(reconnect ? RECONNECTING : { reconnect: false }),
    noAsyncTraces: true,
    noRandomize: true,
    pingInterval: PING_MS,
  };
  let introduced: readonly string[] = [];
  return {
    servers,
    async dial(timeoutMs) {
      const order = [...shuffled(servers.addresses), ...shuffled(introduced)];
      const given: ConnectionOptions & { wsFactory: SocketFactory } = {
        ...common,
        // Each of several twice: the client strikes one that does not answer at first off its list, for good.
        servers: reconnect && order.length > 1 ? [...order, ...order] : order,
        timeout: Math.max(1, timeoutMs),
        wsFactory: socketFactory(servers, timeoutMs),
      };
      const connection = await connect(given);
      introduced = introducedBy(connection, servers);
      return connection;
    },
  };
}

/** How many servers of a cluster are remembered beyond the configured ones; further ones are not tried. */
const MAX_INTRODUCED = 32;

/** The other members of its cluster that the server names, as addresses. */
function introducedBy(connection: NatsConnection, { addresses }: Servers): readonly string[] {
  const scheme = addresses.some((address) => address.startsWith("wss:")) ? "wss" : "ws";
  return (connection.info?.connect_urls ?? [])
    .map((hostAndPort) => `${scheme}://${hostAndPort}`)
    .filter((address) => !addresses.includes(address))
    .slice(0, MAX_INTRODUCED);
}

/** Dials until there is a connection; see {@link connectNats}. */
export async function seek(dialer: Dialer, trying: Trying): Promise<NatsConnection> {
  const { withinMs = Infinity, thoughRefused = false, signal, onWaiting } = trying;
  const deadline = performance.now() + withinMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await abortable(dialer.dial(Math.min(DIAL_MS, deadline - performance.now())), signal);
    } catch (error) {
      signal?.throwIfAborted();
      const failure = connectError(error, dialer.servers);
      if (failure.code === "refused" && !thoughRefused) throw failure;
      if (performance.now() + RETRY_MS.most >= deadline) throw failure;
      onWaiting?.(failure);
    }
    await pause(retryDelayMs(), signal);
  }
}

/** Opens the socket for an address of the form `ws://host:port`, which is all that `nats.ws` knows of. */
type SocketFactory = (address: string) => Promise<{ socket: unknown; encrypted: boolean }>;

function socketFactory({ family, tls, addresses }: Servers, timeoutMs: number): SocketFactory {
  if (family === "websocket") {
    return (address) =>
      Promise.resolve({ socket: openWebSocket(address, timeoutMs), encrypted: address.startsWith("wss:") });
  }
  // The other members of a cluster introduce themselves by address; their certificate holds the name we know.
  const tlsName = addresses.map((address) => new URL(address).hostname).find((host) => isIP(host) === 0);
  return (address) => {
    const { hostname, port } = new URL(address);
    return openTcpSocket({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port || 80),
      tls,
      ...(tlsName === undefined ? {} : { tlsName }),
      timeoutMs,
    });
  };
}

/** An expired JWT must not end a connection for good: its file is read again at the next try. */
const RECONNECTING = {
  reconnect: true,
  maxReconnectAttempts: -1,
  reconnectDelayHandler: retryDelayMs,
  ignoreAuthErrorAbort: true,
};

const REFUSALS: Readonly<Record<string, string>> = {
  AUTHORIZATION_VIOLATION: "refused the credentials",
  AUTHENTICATION_EXPIRED: "refused the credentials, which have expired",
  ACCOUNT_EXPIRED: "refused the account, which has expired",
  WSS_REQUIRED: "wants TLS: use wss://",
};

/** What a failed try says. The client tells its errors apart by `code`, the system's come through as they are. */
function connectError(cause: unknown, { urls }: Servers): NatsConnectError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why = cause instanceof Error && cause.message !== "" ? cause.message : String(cause);
  const refusal = cause instanceof TlsError ? "refused TLS" : REFUSALS[code];
  const where = `NATS at ${urls.join(", ")}`;
  return refusal === undefined
    ? new NatsConnectError("unreachable", `${where} does not answer: ${why}`, { cause })
    : new NatsConnectError("refused", `${where} ${refusal}: ${why}`, { cause });
}

function retryDelayMs(): number {
  return RETRY_MS.least + Math.random() * (RETRY_MS.most - RETRY_MS.least);
}

function shuffled<T>(items: readonly T[]): T[] {
  return items.map((item) => ({ item, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

/** Resolves as `connecting` does; when `signal` aborts before, rejects, and closes what may still come of it. */
async function abortable(connecting: Promise<NatsConnection>, signal?: AbortSignal): Promise<NatsConnection> {
  if (signal === undefined) return await connecting;
  const { promise: aborted, reject } = deferred<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([connecting, aborted]);
  } catch (error) {
    connecting.then((nc) => nc.close(), () => {});
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Waits `ms`; rejects with the reason of `signal` when it aborts before. */
function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = deferred<void>();
  const timer = setTimeout(() => done(resolve), ms);
  const onAbort = () => done(() => reject(signal?.reason));
  const done = (settle: () => void) => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    settle();
  };
  signal?.addEventListener("abort", onAbort);
  return promise;
}
