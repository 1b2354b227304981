import { createInbox, type NatsConnection } from "nats.ws";
import { type Dialer, dialerOf, type NatsOptions, seek, type Trying } from "./connect.ts";

/**
 * A connection to NATS that outlives its connections: when one is lost another is made, for ever. Nothing is carried
 * over: requests under way reject at once, subscriptions end, and who watches starts them anew.
 *
 * It does not use the client's own reconnecting, which keeps the requests of a lost connection waiting until each times
 * out, and carries subscriptions over to a server that knows nothing of the consumers behind them.
 */
export interface Link extends AsyncDisposable {
  /** The connection; undefined while there is none. */
  readonly connection: NatsConnection | undefined;
  /** Why there is none, in a few words; empty while there is one. */
  readonly trouble: string;
  /** Calls `listener` at each change with the connection as it is now; returns how to stop that. */
  watch(listener: (connection: NatsConnection | undefined) => void): () => void;
  /** A subject of our own for answers, below the configured inbox prefix. */
  newInbox(): string;
}

/** How long closing waits for what was sent to be taken by the server, ms. */
const DRAIN_MS = 1_000;

/** Connects as `connectNats` does, and keeps connected until disposed. Rejects as it does. */
export async function openLink(options: NatsOptions, first: Trying = {}): Promise<Link> {
  const dialer = dialerOf(options, { reconnect: false });
  return new KeptLink(dialer, await seek(dialer, first), options.inboxPrefix);
}

type Listener = (connection: NatsConnection | undefined) => void;

class KeptLink implements Link {
  #connection: NatsConnection | undefined;
  #trouble = "";
  readonly #dialer: Dialer;
  readonly #inboxPrefix: string | undefined;
  readonly #listeners = new Set<Listener>();
  readonly #closing = new AbortController();
  readonly #kept: Promise<void>;

  constructor(dialer: Dialer, connection: NatsConnection, inboxPrefix: string | undefined) {
    this.#dialer = dialer;
    this.#inboxPrefix = inboxPrefix;
    this.#connection = connection;
    this.#kept = this.#keep(connection);
  }

  get connection(): NatsConnection | undefined {
    return this.#connection;
  }

  get trouble(): string {
    return this.#trouble;
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  newInbox(): string {
    return createInbox(this.#inboxPrefix);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const connection = this.#connection;
    if (connection !== undefined && !connection.isClosed()) {
      const timer = setTimeout(() => connection.close(), DRAIN_MS);
      // Draining waits for a PONG that a server which stands still never sends, even when the connection is closed.
      await Promise.race([connection.drain(), connection.closed()]);
      clearTimeout(timer);
    }
    await this.#kept;
  }

  async #keep(first: NatsConnection): Promise<void> {
    for (let current: NatsConnection | undefined = first; current !== undefined;) {
      const why = await current.closed();
      this.#change(
        undefined,
        why instanceof Error && why.message !== "" ? why.message : "the connection was lost",
      );
      current = await this.#again();
      if (current !== undefined) this.#change(current, "");
    }
  }

  /** The next connection; undefined when the link is closed before there is one. */
  async #again(): Promise<NatsConnection | undefined> {
    const { signal } = this.#closing;
    if (signal.aborted) return undefined;
    const onWaiting = (why: Error) => this.#trouble = why.message;
    try {
      return await seek(this.#dialer, { signal, onWaiting, thoughRefused: true });
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  #change(connection: NatsConnection | undefined, trouble: string): void {
    this.#connection = connection;
    this.#trouble = trouble;
    for (const listener of [...this.#listeners]) listener(connection);
  }
}
