import { loadFreshPlugin } from "../plugins/load_plugins.ts";
import type { IncomingMessage } from "node:http";
import type { Hono } from "hono";
import { EVERYBODY } from "../access/access.ts";
import type { Gate } from "../access/gate.ts";
import { StaticTokens } from "../access/static_tokens.ts";
import { documentsOf } from "../contract/documents.ts";
import type { Spoken } from "../contract/spoken.ts";
import { createApp } from "../http/app.ts";
import { accessGuard } from "../http/access_guard.ts";
import type { Asking } from "../http/asking.ts";
import type { Asset } from "../http/assets.ts";
import { inTurn } from "../http/large_answers.ts";
import { operatorGuard } from "../http/operator_guard.ts";
import { countStrangers, originGuard, readableByOrigins } from "../http/origin_guard.ts";
import type { Streams } from "../http/stream_route.ts";
import { LogError } from "../log/event_log.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Trusted } from "../transport/client_address.ts";
import type { AllowedOrigins } from "../transport/origin.ts";
import type { RateLimits } from "../transport/rate_limits.ts";
import { addressOf } from "../transport/client_address.ts";
import { PROTOCOLS } from "../transport/handshake.ts";
import type { Pipeline } from "./pipeline.ts";

/** What of a gateway its HTTP side needs. */
export type Served = {
  readonly pipeline: Pipeline | undefined;
  readonly unreadyReasons: readonly string[];
  readonly streams: Streams;
};

/** How its HTTP side is guarded, and what else it serves. */
export type AppOptions = {
  readonly gate: Gate;
  readonly allowedOrigins: AllowedOrigins;
  /** Opens `/metrics` alone. */
  readonly metricsToken?: string | undefined;
  readonly trustedProxies: Trusted | undefined;
  /** How often somebody may ask. */
  readonly requests: RateLimits;
  /** How often an address may show what opens nothing. */
  readonly guesses: RateLimits;
  /** Told of each request that was one too many. */
  readonly refused: () => void;
  /** Told of each request for a large answer that was one too many. */
  readonly refusedLists: () => void;
  readonly assets?: readonly Asset[];
};

/** The HTTP side of `gateway`, with `assets`. Until its log is in reach every question about tasks is answered 503. */
export function gatewayApp(
  gateway: Served,
  telemetry: Telemetry,
  options: AppOptions,
): Hono<Asking> {
  const { gate, trustedProxies, requests, guesses, refused, assets = [] } = options;
  const addressed = (request: IncomingMessage): string => addressOf(request, trustedProxies);
  const asked = { requests, guesses, addressOf: addressed, refused };
  const spoken = (): Spoken | undefined => {
    if (gateway.pipeline === undefined) return undefined;
    const { messages, namespaces } = gateway.pipeline;
    return {
      messages: messages.described,
      namespaces: namespaces.described,
      subProtocols: [...PROTOCOLS.keys()],
    };
  };
  const running = (): Pipeline => {
    if (gateway.pipeline?.booted !== true) throw new LogError("unreachable", "The log is not in reach yet");
    return gateway.pipeline;
  };
  return createApp({
    append: async (entries) => await running().append(entries),
    tasks: {
      task: async (access, id, at) => await running().tasks.task(access, id, at),
      list: (access, query) => running().tasks.list(access, query),
      history: async (access, id, part) => await running().tasks.history(access, id, part),
      cancel: async (access, id, reason) => await running().tasks.cancel(access, id, reason),
    },
    channels: {
      publish: async (access, publications) => await running().publishing.publishAll(access, publications),
      list: async (access) => await running().channels.list(access),
    },
    streams: { open: (request, response) => gateway.streams.open(request, response) },
    plugins: {
      list: () => running().plugins.list(),
      enable: (name) => running().plugins.enable(name),
      disable: (name) => running().plugins.disable(name),
      add: async (module) => {
        try {
          running().plugins.add(await loadFreshPlugin(module));
        } catch (error) {
          telemetry.log.warn("A plug-in is not added", { module, error });
          throw error;
        }
      },
      remove: (name) => running().plugins.remove(name),
    },
    operations: {
      rejected: () => {
        const rejected = gateway.pipeline?.projection.rejected;
        return { total: rejected?.total ?? 0, items: rejected?.list() ?? [] };
      },
      readiness: () => ({ ready: gateway.unreadyReasons.length === 0, reasons: gateway.unreadyReasons }),
      metrics: () => telemetry.metrics(),
    },
    telemetry: {
      spans: telemetry.spans,
      incident: telemetry.incident,
      httpRequest: telemetry.measures.httpRequest,
    },
    assets,
    documents: documentsOf(spoken, { files: assets, asksForToken: gate.withoutToken === undefined }),
    issueTicket: (access) => gate.issue(access),
    guards: [
      countStrangers(options.allowedOrigins, asked),
      originGuard(options.allowedOrigins),
      readableByOrigins(),
      accessGuard({ ...asked, gate }),
      inTurn(options.refusedLists),
    ],
    metricsGuards: [
      accessGuard({ ...asked, gate: gateForMetrics(gate, options.metricsToken) }),
      operatorGuard(),
    ],
  });
}

/** No subject of a token is called so: there is a line break in it. */
const METRICS = "metrics\n";

/** Lets scrapers in by a token of their own, and everybody else as everywhere. */
function gateForMetrics(
  gate: Gate,
  metricsToken: string | undefined,
): Pick<Gate, "withoutToken" | "authenticate"> {
  if (metricsToken === undefined) return gate;
  const scrapers = new StaticTokens([{ token: metricsToken, access: { ...EVERYBODY, subject: METRICS } }]);
  const { withoutToken } = gate;
  return {
    withoutToken,
    authenticate: (token) => scrapers.authenticate(token).catch(() => gate.authenticate(token)),
  };
}
