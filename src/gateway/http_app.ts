import type { Hono } from "hono";
import { createApp } from "../http/app.ts";
import type { Asset } from "../http/assets.ts";
import { originGuard } from "../http/origin_guard.ts";
import type { Streams } from "../http/stream_route.ts";
import { LogError } from "../log/event_log.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { AllowedOrigins } from "../transport/origin.ts";
import type { Pipeline } from "./pipeline.ts";

/** What of a gateway its HTTP side needs. */
export type Served = {
  readonly pipeline: Pipeline | undefined;
  readonly unreadyReasons: readonly string[];
  readonly streams: Streams;
};

/** The HTTP side of `gateway`, with `assets`. Until its log is in reach every question about tasks is answered 503. */
export function gatewayApp(
  gateway: Served,
  telemetry: Telemetry,
  { allowedOrigins, assets = [] }: {
    readonly allowedOrigins: AllowedOrigins;
    readonly assets?: readonly Asset[];
  },
): Hono {
  const running = (): Pipeline => {
    if (gateway.pipeline?.booted !== true) throw new LogError("unreachable", "The log is not in reach yet");
    return gateway.pipeline;
  };
  return createApp({
    append: async (entries) => await running().append(entries),
    tasks: {
      task: async (id, at) =>
        at === undefined ? (await running().queries.task(id))?.data : await running().past.task(id, at),
      list: async (query) =>
        query.at === undefined ? running().queries.list(query) : await running().past.list(query, query.at),
      history: async (id, afterSeq, limit) => await running().queries.history(id, afterSeq, limit),
      cancel: async (id, reason) => await running().cancels.request(id, reason),
    },
    streams: { open: (request, response) => gateway.streams.open(request, response) },
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
    guards: [originGuard(allowedOrigins)],
  });
}
