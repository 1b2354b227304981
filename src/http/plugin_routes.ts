import { Hono } from "hono";
import type { PluginState } from "../plugins/plugin_host.ts";
import type { Asking } from "./asking.ts";
import { operatorGuard } from "./operator_guard.ts";
import { invalid, problemResponse } from "./problem.ts";

/** What operators may do with plug-ins. `enable` and `disable` are false where there is none of that name. */
export interface PluginOperations {
  list(): readonly PluginState[];
  enable(name: string): boolean;
  disable(name: string): boolean;
}

/** `GET /api/plugins`, `POST /api/plugins/:name/enable` and `/disable`: for operators. */
export function pluginRoutes(plugins: PluginOperations): Hono<Asking> {
  const routes = new Hono<Asking>();
  routes.use("/plugins/*", operatorGuard());
  routes.get("/plugins", operatorGuard(), (c) => c.json({ plugins: plugins.list() }));
  routes.post("/plugins/:name/:what{enable|disable}", (c) => {
    const name = c.req.param("name");
    try {
      const isThere = c.req.param("what") === "enable" ? plugins.enable(name) : plugins.disable(name);
      if (!isThere) return problemResponse({ ...invalid(`no plug-in ${name}`), status: 404 });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return problemResponse({ ...invalid(error.message), status: 409 });
    }
    return c.json({ plugins: plugins.list() });
  });
  return routes;
}
