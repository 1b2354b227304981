import { type Context, Hono, type MiddlewareHandler } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { routePath } from "hono/route";
import type { Access } from "../access/access.ts";
import type { Ticket } from "../access/tickets.ts";
import { LogError } from "../log/event_log.ts";
import type { Incidents } from "../telemetry/incidents.ts";
import type { Spans } from "../telemetry/spans.ts";
import type { HttpOutcome } from "../telemetry/telemetry.ts";
import { type Append, appendAnyRoute, appendRoute } from "./append_route.ts";
import type { Asking } from "./asking.ts";
import { type Asset, assetRoutes } from "./assets.ts";
import { BODY_MEMORY_BYTES, BodyMemory } from "./body.ts";
import { type ChannelDeps, channelRoutes } from "./channel_routes.ts";
import { documentRoutes, type Documents } from "./document_routes.ts";
import { operationRoutes, type Operations } from "./operation_routes.ts";
import { invalid, type Problem, problemResponse, unavailable } from "./problem.ts";
import { type PluginOperations, pluginRoutes } from "./plugin_routes.ts";
import { streamRoute, type Streams } from "./stream_route.ts";
import { type TaskQueries, taskRoutes } from "./task_routes.ts";
import { ticketRoute } from "./ticket_route.ts";

/** What the app tells of what it does. */
export type AppTelemetry = {
  readonly spans: Spans;
  readonly incident: Incidents;
  readonly httpRequest: (outcome: HttpOutcome) => void;
};

/** What the app needs of the gateway. */
export type AppDeps = {
  readonly append: Append;
  readonly tasks: TaskQueries;
  readonly channels: ChannelDeps;
  readonly streams: Streams;
  readonly operations: Operations;
  readonly plugins: PluginOperations;
  /** Files that are served as they are. Default: none. */
  readonly assets?: readonly Asset[];
  /** What tells programs how to talk with the gateway. Default: nothing does. */
  readonly documents?: Documents;
  readonly telemetry: AppTelemetry;
  /** Makes a ticket; undefined where too many are out. */
  readonly issueTicket: (access: Access) => Ticket | undefined;
  /** Run in order before every route below `/api`: who asks, whether it may, and how often. */
  readonly guards: readonly MiddlewareHandler<Asking>[];
  /** The same before `/metrics`. */
  readonly metricsGuards: readonly MiddlewareHandler<Asking>[];
};

/** The HTTP side of a gateway: PROTOCOL.md, section 8. It listens to nothing by itself. */
export function createApp(deps: AppDeps): Hono<Asking> {
  const { append, tasks, streams, operations, assets = [], telemetry } = deps;
  const { spans, incident, httpRequest } = telemetry;
  const app = new Hono<Asking>();
  app.use(outcome(httpRequest));
  app.use("/api/*", traced(spans));
  app.use(
    methodNotAllowed({ app, onMethodNotAllowed: (_c, methods) => problemResponse(wrongMethod(methods)) }),
  );
  for (const guard of deps.guards) app.use("/api/*", guard);
  for (const guard of deps.metricsGuards) app.use("/metrics", guard);
  const memory = new BodyMemory(BODY_MEMORY_BYTES);
  app.post("/api/tasks/:id/events", appendRoute({ append, spans, memory }));
  app.post("/api/events", appendAnyRoute({ append, spans, memory }));
  app.route("/api", taskRoutes(tasks));
  app.route("/api", streamRoute(streams));
  app.route("/api", channelRoutes(deps.channels, memory));
  app.route("/api", ticketRoute(deps.issueTicket));
  app.route("/api", pluginRoutes(deps.plugins, memory));
  app.route("/", operationRoutes(operations));
  app.route("/", assetRoutes(assets));
  if (deps.documents !== undefined) app.route("/", documentRoutes(deps.documents));
  app.notFound(() => problemResponse({ ...invalid("no such path"), status: 404 }));
  app.onError((error, c) => problemResponse(failure(error, `${c.req.method} ${routeOf(c)}`, incident)));
  return app;
}

/** Counts what each request came to, and says what holds for every answer: it is what it says it is, and (but for files) of this moment. */
function outcome(count: AppTelemetry["httpRequest"]): MiddlewareHandler {
  return async (c, next) => {
    await next();
    c.res.headers.set("x-content-type-options", "nosniff");
    if (!c.res.headers.has("cache-control")) c.res.headers.set("cache-control", "no-store");
    count({ method: c.req.method, route: routeOf(c), status: c.res.status });
  };
}

/** Puts each request into a span, so that an incident of it is on one. */
function traced(spans: Spans): MiddlewareHandler {
  return (c, next) =>
    spans.span("http", { attributes: { "http.request.method": c.req.method } }, async (span) => {
      await next();
      span.set({ "http.route": routeOf(c), "http.response.status_code": c.res.status });
    });
}

/** The pattern of the path that was asked for; `other` where it is none of ours. */
function routeOf(c: Context): string {
  const route = routePath(c, -1);
  return route.endsWith("*") ? "other" : route;
}

function wrongMethod(methods: readonly string[]): Problem {
  const allow = methods.join(", ");
  return { ...invalid(`the method must be one of ${allow}`), status: 405, headers: { allow } };
}

/** What a client is told of a failure that is not its own: an incident id, and whether to try again. */
function failure(error: unknown, where: string, incident: Incidents): Problem {
  if (!(error instanceof LogError)) {
    return {
      status: 500,
      code: "SERVER_ERROR",
      detail: "something went wrong here; the incident is in the server's log",
      details: { incident: incident(where, error) },
    };
  }
  const details = { incident: incident(where, error, "world") };
  switch (error.code) {
    case "unreachable":
      return unavailable("SERVER_ERROR", "the log is out of reach", details);
    case "closed":
      return unavailable("SERVER_ERROR", "the gateway is going away", details);
    case "refused":
      return { status: 507, code: "SERVER_ERROR", detail: "the log does not take it", details };
    case "damaged":
      return { status: 500, code: "SERVER_ERROR", detail: "the log is damaged", details };
    case "mismatch":
      return { status: 500, code: "SERVER_ERROR", detail: "the log is not as it should be", details };
  }
}
