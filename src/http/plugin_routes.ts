import { Hono } from "hono";
import * as v from "valibot";
import { PLUGIN_PATH, PluginLoadError } from "../plugins/load_plugins.ts";
import type { PluginState } from "../plugins/plugin_host.ts";
import type { Asking } from "./asking.ts";
import { brokenRule } from "../protocol/client_frames.ts";
import { type BodyMemory, withJson } from "./body.ts";
import { operatorGuard } from "./operator_guard.ts";
import { invalid, problemResponse } from "./problem.ts";

/** What operators may do with plug-ins. `enable` and `disable` are false where there is none of that name. */
export interface PluginOperations {
  list(): readonly PluginState[];
  enable(name: string): boolean;
  disable(name: string): boolean;
  /** Adds the plug-in of a module whose path is in order. Rejects with a PluginLoadError, or a RangeError where something is taken. */
  add(module: string): Promise<void>;
  remove(name: string): boolean;
}

/** `POST /api/plugins`: the module of a plug-in. */
export const PluginToAdd = v.strictObject({
  module: v.pipe(
    v.string(),
    v.maxLength(256),
    v.regex(PLUGIN_PATH, "must be the path of a .ts, .js or .mjs file below ./plugins or ./src/plugins"),
  ),
});

/**
 * `GET /api/plugins`, `POST /api/plugins` and `DELETE /api/plugins/:name`, `POST /api/plugins/:name/enable` and `/disable`: for
 * operators.
 */
export function pluginRoutes(plugins: PluginOperations, memory: BodyMemory): Hono<Asking> {
  const routes = new Hono<Asking>();
  routes.use("/plugins/*", operatorGuard());
  routes.get("/plugins", operatorGuard(), (c) => c.json({ plugins: plugins.list() }));
  routes.post("/plugins", operatorGuard(), async (c) => {
    const answer = await withJson(c.req.raw, memory, async (value) => {
      const read = v.safeParse(PluginToAdd, value, { abortEarly: true });
      if (!read.success) return invalid(brokenRule(read.issues));
      try {
        await plugins.add(read.output.module);
      } catch (error) {
        if (error instanceof PluginLoadError) return invalid(error.message);
        if (error instanceof RangeError) return { ...invalid(error.message), status: 409 };
        throw error;
      }
      return c.json({ plugins: plugins.list() }, 201);
    });
    return answer instanceof Response ? answer : problemResponse(answer);
  });
  routes.delete("/plugins/:name", (c) => {
    const name = c.req.param("name");
    try {
      if (!plugins.remove(name)) return problemResponse({ ...invalid(`no plug-in ${name}`), status: 404 });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return problemResponse({ ...invalid(error.message), status: 409 });
    }
    return c.json({ plugins: plugins.list() });
  });
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
