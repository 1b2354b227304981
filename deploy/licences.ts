/**
 * `deno task licences`: writes `deploy/licences.md`, every package of deno.lock with its licence and what runs it. What it
 * writes is committed; a test holds it to the lock file and to the packages.
 */
import * as v from "valibot";
import { keyOf, type Package, packagesOf } from "./packages.ts";

const ROOT = new URL("../", import.meta.url);

/** Where the list lies. */
export const LIST = new URL("licences.md", import.meta.url);

/** Who runs what, by its entries; the first that does counts. What none of them runs, tests and benchmarks alone do. */
const PROGRAMS = [
  { use: "browsers", entries: ["src/dashboard/main.tsx", "src/client/client.ts"] },
  { use: "gateway", entries: ["main.ts"] },
  { use: "tools", entries: ["src/worker/task_reporter.ts", "src/cli/main.ts", "src/demo/main.ts"] },
] as const;

/** A row of the list. */
export type Licensed = {
  readonly name: string;
  readonly version: string;
  /** As the package says it: an SPDX identifier or expression. */
  readonly licence: string;
  readonly use: (typeof PROGRAMS)[number]["use"] | "tests";
};

/** Licences that ask for no more than to be named and kept, in SPDX's names. */
const FREE = [
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Unlicense",
];

/** Those that also ask for changes of their files to be open: of no matter to tests, which nobody is handed on. */
const FREE_FOR_TESTS = ["MPL-2.0"];

/** Which of these have a licence that nobody here has agreed to. */
export function refused(rows: readonly Licensed[]): readonly Licensed[] {
  return rows.filter(({ licence, use }) =>
    !FREE.includes(licence) && !(use === "tests" && FREE_FOR_TESTS.includes(licence))
  );
}

const Lock = v.object({ npm: v.record(v.string(), v.unknown()) });
const Manifest = v.object({ license: v.string() });

/** The rows of the list, in the order of their names. Rejects where a package cannot be had, or says no licence. */
export async function licensed(): Promise<readonly Licensed[]> {
  await install();
  const uses = new Map<string, Licensed["use"]>();
  const folders: Package[] = [];
  for (const { use, entries } of PROGRAMS) {
    for (const entry of entries) {
      for (const found of await packagesOf(new URL(entry, ROOT))) {
        folders.push(found);
        if (!uses.has(keyOf(found))) uses.set(keyOf(found), use);
      }
    }
  }
  const cache = cacheOf(folders);
  return await Promise.all((await locked()).map(async ({ name, version }) => {
    const manifest = await Deno.readTextFile(new URL(`${name}/${version}/package.json`, cache));
    const { license } = v.parse(Manifest, JSON.parse(manifest), {
      message: `${name}@${version} says no licence`,
    });
    return { name, version, licence: license, use: uses.get(`${name}@${version}`) ?? "tests" };
  }));
}

/** Has Deno fetch every package of the lock file that it does not have, from wherever it is told to. */
async function install(): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--frozen"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (!success) throw new Error(`deno install: ${new TextDecoder().decode(stderr)}`);
}

/** Where Deno has packages of the registry that it is told to use: above the folder of any. */
function cacheOf(packages: readonly Package[]): URL {
  const [first] = packages;
  if (first === undefined) throw new Error("No package is in use");
  return new URL("../".repeat(first.name.split("/").length + 1), first.folder);
}

/** The packages of deno.lock, whose keys are `<name>@<version>`, and `_<peer>@<version>` for each peer. */
async function locked(): Promise<readonly Pick<Package, "name" | "version">[]> {
  const { npm } = v.parse(Lock, JSON.parse(await Deno.readTextFile(new URL("deno.lock", ROOT))));
  const packages = Object.keys(npm).map((id) => {
    const [, name = "", version = ""] = /^(@?[^@]+)@([^_]+)/.exec(id) ?? [];
    return { name, version };
  });
  return [...new Map(packages.map((found) => [keyOf(found), found])).values()];
}

const HEAD = `# Licences

Every package of \`deno.lock\`, made by \`deno task licences\`. Which licences are taken in is written in
\`deploy/licences.ts\`; a test fails on any other.

- **browsers**: bundled into what they load (\`src/http/bundles\`, which begin with the licence's text)
- **gateway**: what \`deno task start\` runs
- **tools**: what only a worker, the command line or the demo runs
- **tests**: only tests and benchmarks, or types

| package | version | licence | for |
|---|---|---|---|
`;

/** The list as it is written. Pure. */
export function printed(rows: readonly Licensed[]): string {
  const lines = rows.map(({ name, version, licence, use }) =>
    `| ${name} | ${version} | ${licence} | ${use} |\n`
  );
  return `${HEAD}${lines.join("")}`;
}

if (import.meta.main) {
  const rows = await licensed();
  await Deno.writeTextFile(LIST, printed(rows));
  const wrong = refused(rows).map((row) => `${keyOf(row)} (${row.licence}, for ${row.use})`);
  if (wrong.length > 0) throw new Error(`Nobody has agreed to these licences: ${wrong.join(", ")}`);
}
