import { isFile, onPath, run } from "../programs.ts";

/** What is fetched where there is none; raise it together with what the README says was tried. */
const PACKAGE = "bun@1.4.5";
/** The characters of a failure that are shown. */
const MOST_WHY = 300;

/** A Bun, or why there is none and none was to be had. */
export type Bun = { readonly path: string } | { readonly missing: string };

/**
 * The Bun that `BUN` names, else the one on PATH, else npm's package, which npx keeps beside what else it was asked for.
 * Rejects only where `BUN` names no file.
 */
export async function bunBinary(): Promise<Bun> {
  const named = Deno.env.get("BUN");
  if (named !== undefined && named !== "") {
    if (isFile(named)) return { path: named };
    throw new Error(`BUN names ${named}, which is no file`);
  }
  const there = onPath(["bun"]);
  if (there !== undefined) return { path: there };
  const npx = onPath(["npx"]);
  if (npx === undefined) return { missing: "neither bun nor npx is on PATH" };
  try {
    return { path: await fetched(npx) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { missing: `npx cannot fetch ${PACKAGE}: ${why.replaceAll(/\s+/g, " ").slice(0, MOST_WHY)}` };
  }
}

async function fetched(npx: string): Promise<string> {
  const args = ["--yes", "--prefer-offline", "--fetch-retries=1", "--package", PACKAGE];
  const said = await run(npx, [...args, "--", "sh", "-c", "command -v bun"]);
  const path = said.trim().split("\n").at(-1) ?? "";
  if (!isFile(path)) throw new Error(`it has no program bun: ${said}`);
  return path;
}
