import * as v from "valibot";
import type { Plugin } from "./plugin.ts";

const callable = v.function();

/** As far as a plug-in can be looked at before it is used. */
const PluginShape = v.object({
  name: v.string(),
  messages: v.optional(
    v.array(v.object({
      type: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
      schema: v.looseObject({}),
      right: v.optional(v.picklist(["subscribe", "publish", "cancel", "admin"])),
      cost: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1_000))),
      handle: callable,
    })),
  ),
  namespaces: v.optional(
    v.array(v.object({
      name: v.string(),
      conflation: v.optional(v.picklist(["latest", "all", "none"])),
      retained: v.optional(v.boolean()),
      payload: v.optional(v.looseObject({})),
    })),
  ),
  onPublish: v.optional(callable),
});

/** A plug-in cannot be used. */
export class PluginLoadError extends Error {
  override name = "PluginLoadError";
}

/**
 * The plug-ins that modules export as `default`, each of a path from the folder that the program was started in, or a URL.
 * Rejects with a {@link PluginLoadError} that names the module and what is wrong with it.
 */
export async function loadPlugins(paths: readonly string[]): Promise<readonly Plugin[]> {
  const plugins: Plugin[] = [];
  for (const path of paths) plugins.push(await loadPlugin(path, new URL(path, `file://${Deno.cwd()}/`)));
  return plugins;
}

/** What the path of a module looks like that may be loaded while the gateway runs: below the folders of plug-ins, and nowhere else. */
export const PLUGIN_PATH: RegExp =
  /^(?:\.\/)?(?:src\/)?plugins\/(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*\/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*\.(?:ts|js|mjs)$/;

/** The same of one module whose path is a {@link PLUGIN_PATH}, as its file is now: one that was changed since is another module. */
export async function loadFreshPlugin(path: string): Promise<Plugin> {
  const url = new URL(path, `file://${Deno.cwd()}/`);
  let changed: number | undefined;
  try {
    changed = (await Deno.stat(url)).mtime?.getTime();
  } catch (cause) {
    throw new PluginLoadError(`Cannot load the plug-in ${path}: it cannot be read`, { cause });
  }
  url.searchParams.set("changed", `${changed ?? 0}`);
  return await loadPlugin(path, url);
}

async function loadPlugin(path: string, url: URL): Promise<Plugin> {
  let exported: unknown;
  try {
    const module: { readonly default?: unknown } = await import(url.href);
    exported = module.default;
  } catch (cause) {
    throw new PluginLoadError(`Cannot load the plug-in ${path}`, { cause });
  }
  const result = v.safeParse(PluginShape, exported, { abortEarly: true });
  if (result.success) return exported as Plugin; // it has just been looked at
  const [issue] = result.issues;
  const where = v.getDotPath(issue);
  throw new PluginLoadError(
    `Cannot use the plug-in ${path}: ${where === null ? "its default export" : where}: ${issue.message}`,
  );
}
