import { Hono } from "hono";
import type { RejectedItem } from "../protocol/server_frames.ts";
import type { Asking } from "./asking.ts";
import { operatorGuard } from "./operator_guard.ts";

/** Whether the gateway can serve; where not, every reason why. */
export type Readiness = { readonly ready: boolean; readonly reasons: readonly string[] };

/** What an operator looks at. */
export interface Operations {
  /** `total` were met since the start; the newest of them first. */
  rejected(): { readonly total: number; readonly items: readonly RejectedItem[] };
  readiness(): Readiness;
  /** Metrics in Prometheus's text format. */
  metrics(): Promise<string>;
}

/** `/healthz`, `/readyz`, `/metrics` and `/api/rejected`. */
export function operationRoutes(operations: Operations): Hono<Asking> {
  const routes = new Hono<Asking>();
  routes.get("/healthz", (c) => c.json({ status: "ok" }));
  routes.get("/readyz", (c) => {
    const { ready, reasons } = operations.readiness();
    return c.json({ ready, reasons }, ready ? 200 : 503);
  });
  routes.get(
    "/metrics",
    async (c) =>
      c.body(await operations.metrics(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
  routes.get("/api/rejected", operatorGuard(), (c) => {
    const { total, items } = operations.rejected();
    return c.json({ total, items });
  });
  return routes;
}
