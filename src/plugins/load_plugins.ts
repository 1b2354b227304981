import * as v from "valibot";
import type { Plugin } from "./plugin.ts";
import { PluginShape } from "./plugin_shape.ts";

/** So long, s, a module may take until it is there: at a start, where it may have to be fetched, and while others wait for an answer. */
const LOAD_S = { atStart: 60, whileRunning: 5 } as const;
/** Why a module is not loaded is told in so many characters. */
const MAX_WHY_CHARS = 1_000;

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
  for (const path of paths) {
    plugins.push(await loadPlugin(path, new URL(path, `file://${Deno.cwd()}/`), LOAD_S.atStart));
  }
  return plugins;
}

/** What the path of a module looks like that may be loaded while the gateway runs: below the folders of plug-ins, and nowhere else. */
export const PLUGIN_PATH: RegExp =
  /^(?:\.\/)?(?:src\/)?plugins\/(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*\/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*\.(?:ts|js|mjs)$/;

/**
 * The same of one module whose path is a {@link PLUGIN_PATH}, as its file is now: one of other contents is another module. What it
 * imports stays what it was first loaded as.
 */
export async function loadFreshPlugin(path: string, withinS: number = LOAD_S.whileRunning): Promise<Plugin> {
  const url = new URL(path, `file://${Deno.cwd()}/`);
  let source: Uint8Array<ArrayBuffer>;
  try {
    source = await Deno.readFile(url);
  } catch (cause) {
    throw new PluginLoadError(`Cannot load the plug-in ${path}: it cannot be read`, { cause });
  }
  // Not when it was changed: a file that is put back may be as old as the one before.
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", source)).toHex();
  url.searchParams.set("contents", digest);
  return await loadPlugin(path, url, withinS);
}

async function loadPlugin(path: string, url: URL, withinS: number): Promise<Plugin> {
  const exported = await exportedBy(path, url, withinS);
  const fault = faultOf(exported);
  if (fault === undefined) return exported as Plugin; // it has just been looked at
  throw new PluginLoadError(`Cannot use the plug-in ${path}: ${fault}`);
}

/** What a module exports as `default`. One that is late is let go of: it cannot be broken off, and may be there when it is asked for anew. */
async function exportedBy(path: string, url: URL, withinS: number): Promise<unknown> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`it did not load within ${withinS} s`)),
    withinS * 1_000,
  );
  try {
    const module: { readonly default?: unknown } = await Promise.race([import(url.href), late.promise]);
    return module.default;
  } catch (cause) {
    throw new PluginLoadError(
      `Cannot load the plug-in ${path}: ${whyOf(cause)}`,
      cause instanceof Error ? { cause } : {},
    );
  } finally {
    clearTimeout(timer);
  }
}

/** What is wrong with what a module exports; undefined where it is a plug-in. */
function faultOf(exported: unknown): string | undefined {
  try {
    const result = v.safeParse(PluginShape, exported, { abortEarly: true });
    if (result.success) return undefined;
    const [issue] = result.issues;
    return `${v.getDotPath(issue) ?? "its default export"}: ${issue.message}`;
  } catch (error) {
    return `it cannot be looked at: ${whyOf(error)}`;
  }
}

function whyOf(thrown: unknown): string {
  const why = thrown instanceof Error ? thrown.message : `it throws a ${typeof thrown}`;
  return why.length > MAX_WHY_CHARS ? `${why.slice(0, MAX_WHY_CHARS - 1)}…` : why;
}
