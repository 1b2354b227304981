/**
 * `deno task bundle`: makes what browsers load, in `src/http/bundles/`, from the sources. What it makes is committed, so that a
 * start needs no build and no right to run one; a test holds it to the sources.
 */
import { minify as minified } from "terser";
import { rolledUp } from "./declarations.ts";
import { keyOf, licenceText, packagesOf } from "./packages.ts";

const ROOT = new URL("../", import.meta.url);

/** Where the gateway finds what it serves. */
export const PUBLIC = new URL("src/http/bundles/", ROOT);

/** What is bundled as `<name>.js`, with types or without, and the most that it may weigh gzipped, in bytes. */
export const BUNDLES = [
  { entry: new URL("src/client/client.ts", ROOT), name: "client", types: true, maxGzipBytes: 12 * 1024 },
  { entry: new URL("src/client/tab_share.ts", ROOT), name: "tabs", types: true, maxGzipBytes: 4 * 1024 },
  { entry: new URL("src/client/decrypting.ts", ROOT), name: "decrypt", types: true, maxGzipBytes: 4 * 1024 },
  {
    entry: new URL("src/client/compact_socket.ts", ROOT),
    name: "compact",
    types: true,
    maxGzipBytes: 4 * 1024,
  },
  {
    entry: new URL("src/dashboard/main.tsx", ROOT),
    name: "dashboard",
    types: false,
    maxGzipBytes: 80 * 1024,
  },
] as const;

/** What becomes of a module. */
export type BundleOptions = {
  /** Whose modules it may import: a browser's, or those of Deno and Node too. Default: `browser`. */
  readonly platform?: "browser" | "deno";
  /** Whether names and spaces go. Default: true. */
  readonly minify?: boolean;
};

/**
 * Makes one ES module of `entry` and all that it imports, and writes it to `file`. It begins with the licences of the packages
 * that are in it: they ask to go along with every copy, and Deno leaves their comments out. Rejects with what Deno says.
 */
export async function bundle(entry: URL, file: URL, options: BundleOptions = {}): Promise<void> {
  const { platform = "browser", minify = true } = options;
  const how = [`--platform=${platform}`, ...(minify ? ["--minify"] : [])];
  await deno("bundle", ...how, `--output=${file.pathname}`, entry.pathname);
  const code = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, `${await noticesOf(entry)}${minify ? await smaller(code) : code}`);
}

/** What Deno's bundler leaves, some three in a hundred, terser finds: gzipped, too. */
async function smaller(code: string): Promise<string> {
  const { code: made } = await minified(code, {
    module: true,
    ecma: 2020,
    compress: { passes: 3, ecma: 2020 },
    format: { comments: false, ecma: 2020 },
  });
  if (made === undefined) throw new Error("terser made nothing of a bundle");
  return `${made}\n`;
}

/** A comment with the licence of each package that is bundled with `entry`; nothing where there is none. */
async function noticesOf(entry: URL): Promise<string> {
  const notices = await Promise.all((await packagesOf(entry)).map(async (bundled) => {
    const licence = await licenceText(bundled);
    if (licence.includes("*/")) throw new Error(`The licence of ${keyOf(bundled)} would end a comment`);
    return `/*! ${keyOf(bundled)}\n\n${licence.trim()}\n*/\n`;
  }));
  return notices.join("");
}

/** Makes everything of {@link BUNDLES} in `folder`. */
export async function bundleAll(folder: URL): Promise<void> {
  for (const { entry, name, types } of BUNDLES) {
    await bundle(entry, new URL(`${name}.js`, folder));
    if (types) await declare(entry, new URL(`${name}.d.ts`, folder));
  }
}

/** Writes the types of what `entry` exports to `file`, which needs no other. */
async function declare(entry: URL, file: URL): Promise<void> {
  const folder = new URL(`file://${await Deno.makeTempDir({ prefix: "taskwire-types-" })}/`);
  try {
    const config = new URL("deno.json", folder);
    await Deno.writeTextFile(config, await configOfTypes());
    const sources = await reachedFrom(entry);
    const names = new Map(sources.map((source) => [nameOf(source), source]));
    if (names.size < sources.length) throw new Error(`Two files below ${entry} have one name`);
    const from = [`--config=${config.pathname}`, "--no-lock", `--outdir=${folder.pathname}`];
    await deno("bundle", "--declaration", ...from, ...sources.map(({ pathname }) => pathname));
    const texts = await Promise.all([...names.keys()].map(async (name) => {
      return [name, await Deno.readTextFile(new URL(`${name}.d.ts`, folder))] as const;
    }));
    await Deno.writeTextFile(file, rolledUp(nameOf(entry), new Map(texts)));
    await deno("fmt", "--no-config", "--line-width=110", file.pathname);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * The project's own, with the types of browsers instead of those of Deno and Node: the latter do not pass our strictness,
 * which `deno check` overlooks and this does not.
 */
async function configOfTypes(): Promise<string> {
  const { imports }: { imports: Record<string, string> } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  );
  const packages = Object.fromEntries(Object.entries(imports).filter(([, at]) => at.startsWith("npm:")));
  const compilerOptions = { strict: true, lib: ["dom", "dom.iterable", "esnext"] };
  return JSON.stringify({ imports: packages, compilerOptions });
}

const FROM = /\bfrom "(\.{1,2}\/[^"]+)"/g;

/** `entry` and every file of ours that it imports, or one of those. */
async function reachedFrom(entry: URL): Promise<URL[]> {
  const reached = new Map([[entry.href, entry]]);
  // It grows while it is walked.
  for (const source of reached.values()) {
    for (const [, path = ""] of (await Deno.readTextFile(source)).matchAll(FROM)) {
      const next = new URL(path, source);
      reached.set(next.href, next);
    }
  }
  return [...reached.values()];
}

/** A file's name without its folder and `.ts`. */
function nameOf({ pathname }: URL): string {
  return pathname.slice(pathname.lastIndexOf("/") + 1).replace(/\.ts$/, "");
}

async function deno(...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`deno ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

if (import.meta.main) await bundleAll(PUBLIC);
