import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Gate } from "../access/gate.ts";
import type { Connection } from "../connection/connection.ts";
import type { ConnectionCounts, ConnectionDeps } from "../connection/connection_deps.ts";
import type { Asset } from "../http/assets.ts";
import { serveApp } from "../http/listener.ts";
import { boundSockets, SPARE_SOCKETS } from "../http/open_sockets.ts";
import type { EventLog } from "../log/event_log.ts";
import { PluginLoadError } from "../plugins/load_plugins.ts";
import type { Plugin } from "../plugins/plugin.ts";
import type { Settings } from "../settings/settings.ts";
import { LoopLateness } from "../telemetry/loop_lateness.ts";
import { Peak } from "../telemetry/peak.ts";
import type { CountedState } from "../telemetry/readings.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { sseCodec } from "../protocol/sse.ts";
import { Admission } from "../transport/admission.ts";
import { RateLimits } from "../transport/rate_limits.ts";
import { TaskStreamServer } from "../transport/stream_server.ts";
import { addressOf } from "../transport/client_address.ts";
import type { ConnectingOptions } from "../transport/connecting.ts";
import { TaskWebSocketServer } from "../transport/websocket_server.ts";
import { systemClock } from "./clock.ts";
import { drainAll } from "./drain.ts";
import { gatewayApp } from "./http_app.ts";
import { gatewayReadings } from "./gateway_readings.ts";
import { openGate } from "./open_gate.ts";
import { natsOptions } from "./open_log.ts";
import { Pipeline } from "./pipeline.ts";
import { publishFromWithin } from "./publish_from_within.ts";
import { TicketPeers } from "./ticket_peers.ts";
import { createGatewayServer, type TlsFiles } from "./tls_server.ts";

/** What a gateway is started from. */
export type GatewayOptions = {
  readonly settings: Settings;
  readonly telemetry: Telemetry;
  /** Opens the log; tried once, rejects when it cannot be had. */
  readonly openLog: (signal: AbortSignal) => Promise<EventLog>;
  /** Files that it serves. Default: none. */
  readonly assets?: readonly Asset[];
  /** What it shows over TLS. Default: it serves without. */
  readonly tls?: TlsFiles;
  /** What extends it. Default: nothing. */
  readonly plugins?: readonly Plugin[];
};

/** The share of the time for going away that is kept for closing the log: a server that stands still answers nothing. */
const CLOSING_SHARE = 0.2;
/** What closing may take even where there is next to no time for going away, ms. */
const CLOSING_LEAST_MS = 250;

/**
 * A gateway: an HTTP server with the WebSocket paths on it, and the pipeline behind. It listens before its log is
 * in reach, answering that it is not ready.
 */
export class Gateway implements AsyncDisposable {
  readonly #options: GatewayOptions;
  readonly #server: Server;
  readonly #listener: Disposable;
  readonly #gate: Gate;
  readonly #sockets: TaskWebSocketServer;
  /** The streams over HTTP. */
  readonly streams: TaskStreamServer;
  readonly #counts: ConnectionCounts = { messages: {}, errors: {}, refused: {}, frames: 0, bytes: 0 };
  readonly #depth = new Peak(() => systemClock.elapsed());
  readonly #lateness = new LoopLateness();
  readonly #stop = new AbortController();
  #log: EventLog | undefined;
  #pipeline: Pipeline | undefined;
  #peers: TicketPeers | undefined;
  #draining = false;
  /** Resolves when clients can be served; rejects when the log cannot be had. */
  readonly ready: Promise<void>;

  constructor(options: GatewayOptions) {
    const { settings, telemetry, assets = [] } = options;
    this.#options = options;
    const { server, isTls, ...listener } = createGatewayServer(options.tls, telemetry.log);
    this.#server = server;
    this.#listener = listener;
    this.#gate = openGate(settings.auth, {
      clock: systemClock,
      log: telemetry.log,
      askIssuer: async (issuer, ticket) => await this.#peers?.ask(issuer, ticket),
    });
    boundSockets(this.#server, {
      max: settings.maxConnectionsPerAddress + SPARE_SOCKETS,
      trusted: settings.trustedProxies,
      refused: () => this.#refused("MAX_CONNECTIONS_PER_ADDRESS"),
      isTls,
    });
    const requests = rateLimits(settings.requestsPerSecond, settings.requestsBurst);
    const app = gatewayApp(this, telemetry, {
      gate: this.#gate,
      allowedOrigins: settings.allowedOrigins,
      metricsToken: settings.metricsToken,
      trustedProxies: settings.trustedProxies,
      requests,
      guesses: rateLimits(settings.requestsPerSecond, settings.requestsBurst),
      refused: () => this.#refused("REQUESTS_PER_SECOND"),
      refusedLists: () => this.#refused("lists"),
      assets,
    });
    const addressed = (request: IncomingMessage): string => addressOf(request, settings.trustedProxies);
    serveApp(this.#server, app, telemetry.incident, {
      tooOften: (request) => {
        if (request.url?.startsWith("/api/") !== true) return undefined;
        const wait = requests.waitOf(addressed(request));
        if (wait !== undefined) this.#refused("REQUESTS_PER_SECOND");
        return wait?.retryAfterMs;
      },
    });
    const shared = this.#connecting();
    this.#sockets = new TaskWebSocketServer(this.#server, {
      ...shared,
      clock: systemClock,
      counts: this.#counts,
      allowedOrigins: settings.allowedOrigins,
      maxMessageBytes: settings.maxMessageBytes,
      compression: settings.compression,
    });
    this.streams = new TaskStreamServer({
      ...shared,
      codec: sseCodec(() => this.#pipeline?.epoch ?? ""),
      random: Math.random,
    });
    telemetry.measures.read(gatewayReadings(() => this.#pipeline, {
      connections: this.#counts,
      maxConnections: settings.maxConnections,
      depth: this.#depth,
      late: this.#lateness.peak,
      isReady: () => this.unreadyReasons.length === 0,
    }));
    this.ready = this.#start();
    this.ready.catch(() => {}); // whoever started us looks at it when it is due
  }

  /** Starts to listen; resolves with the address. Rejects when the port is taken. */
  listen(): Promise<AddressInfo> {
    const { host, port } = this.#options.settings;
    return new Promise((resolve, reject) => {
      this.#server.once(
        "error",
        (cause) => reject(new Error(`Cannot listen on ${host}:${port}`, { cause })),
      );
      this.#server.listen(port, host, () => {
        const address = this.#server.address();
        if (address === null || typeof address === "string") reject(new Error(`no address: ${address}`));
        else resolve(address);
      });
    });
  }

  /** The pipeline, once the log was opened. */
  get pipeline(): Pipeline | undefined {
    return this.#pipeline;
  }

  /**
   * Publishes a value, any JSON, to a channel, for who runs in this process: it may publish to all of them. Resolves with
   * its position when it is durable; rejects with a TypeError where the topic, the key or the payload is none, and with a
   * LogError where the log does not take it.
   */
  async publish(topic: string, payload: unknown, key?: string): Promise<{ readonly seq: number }> {
    await this.ready;
    return await publishFromWithin(this.#pipeline?.publishing, { topic, payload, key });
  }

  /** Why this gateway is not ready; empty when it is. */
  get unreadyReasons(): readonly string[] {
    return [
      ...(this.#draining ? ["going away"] : []),
      ...(this.#pipeline?.reasons ?? ["the log is not in reach yet"]),
    ];
  }

  /** Says goodbye to every connection, flushes, and stops; at the latest when `drainMs` are over. */
  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    this.#sockets.refuseNew();
    this.streams.refuseNew();
    this.#pipeline?.router.flushAll();
    const { drainMs } = this.#options.settings;
    const over = Promise.withResolvers<void>();
    const callOff = systemClock.after(Math.max(drainMs, CLOSING_LEAST_MS), over.resolve);
    await drainAll(() => this.#connections(), {
      clock: systemClock,
      drainMs: drainMs * (1 - CLOSING_SHARE),
      random: Math.random,
    });
    await Promise.race([this[Symbol.asyncDispose](), over.promise]);
    callOff();
  }

  /** Stops at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#draining = true;
    this.#lateness[Symbol.dispose]();
    this.#listener[Symbol.dispose]();
    this.#stop.abort(new Error("the gateway stops"));
    await this.ready.catch(() => {});
    await this.#pipeline?.[Symbol.asyncDispose]();
    this.#sockets.stop();
    this.streams.stop();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
    await this.#peers?.[Symbol.asyncDispose]();
    await this.#log?.[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const { settings, telemetry } = this.#options;
    const log = await this.#options.openLog(this.#stop.signal);
    this.#log = log;
    if (settings.nats !== undefined && settings.auth.kind !== "off") {
      const { issuer } = this.#gate;
      const redeem = (ticket: string) => this.#gate.redeem(ticket);
      const peers = { nats: natsOptions(settings.nats), prefix: settings.subjectPrefix, issuer, redeem };
      this.#peers = await TicketPeers.open(peers, this.#stop.signal);
    }
    const pipeline = new Pipeline({
      log,
      settings,
      telemetry,
      clock: systemClock,
      gate: this.#gate,
      connections: () => this.#connections(),
    });
    for (const plugin of this.#options.plugins ?? []) {
      try {
        pipeline.plugins.add(plugin);
      } catch (cause) {
        throw new PluginLoadError(`Cannot use the plug-in "${plugin.name}"`, { cause });
      }
    }
    this.#pipeline = pipeline;
    await pipeline.start();
  }

  *#connections(): Generator<Connection> {
    yield* this.#sockets.connections;
    yield* this.streams.connections;
  }

  /** What holds for connections of all kinds. */
  #connecting(): ConnectingOptions {
    const { settings } = this.#options;
    return {
      deps: () => this.#connectionDeps(),
      admission: new Admission({
        maxConnections: settings.maxConnections,
        maxPerClient: settings.maxConnectionsPerClient,
        maxPerAddress: settings.maxConnectionsPerAddress,
        maxPerSubject: settings.maxConnectionsPerSubject,
      }),
      gate: this.#gate,
      handshakes: rateLimits(settings.handshakesPerSecond, settings.handshakesBurst),
      trustedProxies: settings.trustedProxies,
      refused: (limit) => this.#refused(limit),
      heartbeatMs: settings.heartbeatMs,
      idleMs: settings.idleMs,
      unready: () => this.#pipeline?.booted === true ? undefined : "the log is not in reach yet",
      newId: () => crypto.randomUUID(),
      onOpen: ({ connection, path }) => this.#opened(connection, path),
    };
  }

  /** Notes that somebody met a limit. */
  #refused(limit: string): void {
    this.#counts.refused[limit] = (this.#counts.refused[limit] ?? 0) + 1;
  }

  #connectionDeps(): ConnectionDeps {
    const { settings, telemetry } = this.#options;
    if (this.#pipeline === undefined) throw new Error("no connection is taken before the log is open");
    return {
      ...this.#pipeline.connectionDeps(this.#counts, welcomeOf(settings)),
      moved: (from, to) => {
        if (to !== "closed" && counted(from) !== counted(to)) {
          telemetry.measures.connections.moved(counted(from), counted(to));
        }
      },
      noteDepth: (depth) => this.#depth.note(depth),
    };
  }

  #opened(connection: Connection, path: string): (code: number) => void {
    const { telemetry } = this.#options;
    const life = telemetry.spans.life("connection", { attributes: { "url.path": path } });
    telemetry.measures.connections.opened("greeting");
    return (code) => {
      telemetry.measures.connections.closed(counted(connection.lastState), code);
      life.set({ "taskwire.close_code": code });
      life.end();
    };
  }
}

function rateLimits(perSecond: number, burst: number): RateLimits {
  return new RateLimits({ perSecond, burst }, () => systemClock.elapsed());
}

function counted(state: string): CountedState {
  if (state === "unknown") return "greeting";
  return state === "greeting" || state === "behind" || state === "draining" ? state : "live";
}

function welcomeOf(settings: Settings): ConnectionDeps["welcome"] {
  return {
    heartbeat: { interval_ms: settings.heartbeatMs, timeout_ms: 2 * settings.heartbeatMs },
    limits: {
      max_message_bytes: settings.maxMessageBytes,
      max_topics: settings.maxTopics,
      messages_per_second: settings.messagesPerSecond,
      messages_burst: settings.messagesBurst,
    },
    ...settings.partition,
  };
}
