import * as v from "valibot";

const ROOT = new URL("../", import.meta.url);

/** A package of npm in one version, and the folder in which Deno has it. */
export type Package = { readonly name: string; readonly version: string; readonly folder: URL };

const To = v.object({ specifier: v.optional(v.string()) });

/** What we read of `deno info --json`. An import has `code` where something runs by it, and only `type` otherwise. */
const Graph = v.object({
  roots: v.array(v.string()),
  redirects: v.record(v.string(), v.string()),
  modules: v.array(v.object({
    specifier: v.string(),
    npmPackage: v.optional(v.string()),
    dependencies: v.optional(v.array(v.object({ code: v.optional(To) })), []),
  })),
  npmPackages: v.record(
    v.string(),
    v.object({
      name: v.string(),
      version: v.string(),
      localPath: v.string(),
      dependencies: v.array(v.string()),
    }),
  ),
});
type Graph = v.InferOutput<typeof Graph>;

/**
 * The packages that run where `entry` does: what it and all that it imports take from npm, and what those depend on; not
 * what only lends types. In the order of their names. Rejects with what Deno says.
 */
export async function packagesOf(entry: URL): Promise<readonly Package[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry.href],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`deno info ${entry}: ${decoder.decode(stderr)}`);
  const graph = v.parse(Graph, JSON.parse(decoder.decode(stdout)));
  const packages = [...withDependencies(importedBy(graph), graph)].map(({ name, version, localPath }) => ({
    name,
    version,
    folder: new URL(`file://${localPath}/`),
  }));
  return packages.sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
}

/** `<name>@<version>`. */
export function keyOf({ name, version }: Pick<Package, "name" | "version">): string {
  return `${name}@${version}`;
}

/** The packages that are imported for what they do, as the graph names them. */
function importedBy({ roots, redirects, modules }: Graph): Set<string> {
  const known = new Map(modules.map((module) => [module.specifier, module]));
  const reached = new Set(roots);
  const packages = new Set<string>();
  // It grows while it is walked.
  for (const specifier of reached) {
    const module = known.get(redirects[specifier] ?? specifier);
    if (module?.npmPackage !== undefined) packages.add(module.npmPackage);
    for (const { code } of module?.dependencies ?? []) {
      if (code?.specifier !== undefined) reached.add(code.specifier);
    }
  }
  return packages;
}

/** These packages and what they depend on, each once, whatever peers it is installed with. */
function withDependencies(ids: ReadonlySet<string>, { npmPackages }: Graph): Graph["npmPackages"][string][] {
  const all = new Set(ids);
  const found = new Map<string, Graph["npmPackages"][string]>();
  for (const id of all) {
    const entry = npmPackages[id];
    if (entry === undefined) throw new Error(`deno info knows no package ${id}`);
    found.set(keyOf(entry), entry);
    for (const dependency of entry.dependencies) all.add(dependency);
  }
  return [...found.values()];
}

/** The text of a package's licence. Rejects where it brings none along. */
export async function licenceText({ name, version, folder }: Package): Promise<string> {
  for await (const { name: file } of Deno.readDir(folder)) {
    if (/^licen[cs]e(\.(md|txt))?$/i.test(file)) return await Deno.readTextFile(new URL(file, folder));
  }
  throw new Error(`${name}@${version} has no licence text`);
}
