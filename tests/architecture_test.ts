import { assert, assertEquals } from "@std/assert";

/** Each stage may import itself and those before it. */
const PIPELINE = [
  "protocol",
  "access",
  "task",
  "channel",
  "log",
  "projection",
  "router",
  "liveness",
  "connection",
  "messages",
  "plugins",
  "transport",
  "http",
  "contract",
  "gateway",
];

/** The stages beside the pipeline, and what of ours each may import. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  nats: [],
  telemetry: ["protocol", "task"],
  settings: ["protocol", "access"],
  worker: ["protocol", "task", "channel", "nats"],
  client: ["protocol"],
  dashboard: ["client", "protocol"],
  demo: ["worker"],
  examples: ["worker", "demo"],
  archive: ["protocol", "task", "channel", "log"],
  adapters: ["protocol", "task", "worker"],
  cli: ["client", "worker", "adapters", "settings", "access", "log", "archive", "nats", "protocol", "task"],
};

/** Who of the pipeline may import a stage beside it. */
const LENT: Readonly<Record<string, readonly string[]>> = {
  nats: ["log", "gateway"],
  telemetry: PIPELINE.slice(PIPELINE.indexOf("log")),
  settings: ["gateway"],
  worker: [],
  client: [],
  dashboard: [],
  demo: [],
  examples: [],
  archive: [],
  adapters: [],
  cli: [],
};

/** Packages that only tests may import. */
const FOR_TESTS = [
  "@std/assert",
  "fast-check",
  "playwright-core",
  "puppeteer-core",
  "axe-core",
  "cborg",
  "yaml",
  "@asyncapi/specs",
  "@seriousme/openapi-schema-validator",
  "ajv",
  "ajv-formats",
];

const ROOT = new URL("../", import.meta.url);

/** The files below `folder`, as paths from the root. */
async function filesBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) files.push(...await filesBelow(`${path}/`));
    else files.push(path);
  }
  return files.sort();
}

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, ROOT));
}

const COMMENT = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
const FROM = /^(?:import|export)\b[^;"'`]*?\bfrom\s*"([^"]+)"|^import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;

/** What a source imports, types too, as written. */
function specifiersOf(source: string): string[] {
  return [...source.replaceAll(COMMENT, "").matchAll(FROM)].map(([, from, bare, late]) =>
    from ?? bare ?? late ?? ""
  );
}

type Module = { readonly path: string; readonly source: string; readonly imports: readonly string[] };

const PATHS = [...(await filesBelow("src/")).filter((path) => /\.tsx?$/.test(path)), ...await mainIfThere()];

/** The modules of the program; `imports` are paths from the root, or names of packages. */
const MODULES: readonly Module[] = await Promise.all(PATHS.map(async (path) => {
  const source = await read(path);
  const imports = specifiersOf(source).map((specifier) =>
    specifier.startsWith(".")
      ? new URL(specifier, new URL(path, ROOT)).href.slice(ROOT.href.length)
      : specifier
  );
  return { path, source, imports };
}));

async function mainIfThere(): Promise<string[]> {
  for await (const entry of Deno.readDir(ROOT)) if (entry.name === "main.ts") return ["main.ts"];
  return [];
}

/** The stage of a path from the root: the folder below `src/`; undefined for `main.ts` and packages. */
function stageOf(path: string): string | undefined {
  return /^src\/([^/]+)\/./.exec(path)?.[1];
}

/** Whether a file of stage `from` may import one of stage `to`. */
function mayImport(from: string, to: string): boolean {
  if (from === to || BESIDE[from]?.includes(to) === true) return true;
  const place = PIPELINE.indexOf(from);
  if (place < 0) return false;
  return PIPELINE.includes(to) ? PIPELINE.indexOf(to) < place : LENT[to]?.includes(from) === true;
}

Deno.test("imports are found whatever their shape", () => {
  const source = [
    'import a from "./a.ts";',
    'import type { B } from "./b.ts";',
    "import {",
    "  c,",
    "  type D,",
    '} from "./c.ts";',
    'export * from "./d.ts";',
    'export type { E } from "./e.ts";',
    'import "./f.ts";',
    '  const g = await import("./g.ts");',
    '/** import no from "./no.ts"; */',
    '// import no from "./no.ts";',
    'export const text = "from";',
    'const h = 1; // from "./no.ts"',
  ].join("\n");
  assertEquals(specifiersOf(source), ["a", "b", "c", "d", "e", "f", "g"].map((name) => `./${name}.ts`));
});

Deno.test("every file of the program lies in a stage that has its arrows", () => {
  const known = [...PIPELINE, ...Object.keys(BESIDE)];
  const lost = MODULES.filter(({ path }) => path !== "main.ts" && !known.includes(stageOf(path) ?? ""));
  assertEquals(lost.map(({ path }) => path), []);
  assert(MODULES.length > 10, "the program is found");
});

Deno.test("imports run one way along the pipeline", () => {
  const wrong = MODULES.flatMap(({ path, imports }) => {
    const from = stageOf(path);
    return imports.filter((to) => {
      const stage = stageOf(to);
      return from !== undefined && stage !== undefined && !mayImport(from, stage);
    }).map((to) => `${path} must not import ${to}`);
  });
  assertEquals(wrong, []);
});

Deno.test("the arrows allow what is meant and nothing else", () => {
  const may = (from: string) => [...PIPELINE, ...Object.keys(BESIDE)].filter((to) => mayImport(from, to));
  assertEquals(may("protocol"), ["protocol"]);
  assertEquals(may("access"), ["protocol", "access"]);
  assertEquals(may("task"), ["protocol", "access", "task"]);
  assertEquals(may("log"), ["protocol", "access", "task", "channel", "log", "nats", "telemetry"]);
  assertEquals(may("projection"), [
    "protocol",
    "access",
    "task",
    "channel",
    "log",
    "projection",
    "telemetry",
  ]);
  assertEquals(may("gateway"), [...PIPELINE, "nats", "telemetry", "settings"]);
  assertEquals(may("nats"), ["nats"]);
  assertEquals(may("worker"), ["protocol", "task", "channel", "nats", "worker"]);
  assertEquals(may("client"), ["protocol", "client"]);
  assertEquals(may("cli"), [
    "protocol",
    "access",
    "task",
    "log",
    "nats",
    "settings",
    "worker",
    "client",
    "archive",
    "adapters",
    "cli",
  ]);
  assertEquals(may("dashboard"), ["protocol", "client", "dashboard"]);
});

Deno.test("the program imports itself, packages of the import map and Node's modules, and nothing of the tests", async () => {
  const { imports: map }: { imports: Record<string, string> } = JSON.parse(await read("deno.json"));
  const known = Object.keys(map).filter((name) => !FOR_TESTS.includes(name));
  const allowed = (to: string) =>
    to.startsWith("node:") || known.some((name) => to === name || to.startsWith(`${name}/`)) ||
    MODULES.some(({ path }) => path === to);
  const wrong = MODULES.flatMap(({ path, imports }) =>
    imports.filter((to) => !allowed(to)).map((to) => `${path} must not import ${to}`)
  );
  assertEquals(wrong, []);
});

Deno.test("no files import each other in a circle", () => {
  const graph = new Map(MODULES.map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) circles.push([...trail.slice(start), path].join(" → "));
    if (start >= 0 || done.has(path)) return;
    for (const to of graph.get(path) ?? []) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  assertEquals(circles, []);
});

Deno.test("no file or folder is named for what it has in common with all others", () => {
  const empty = /(^|\/)(utils?|common|helpers?|types?|core|misc|shared|index|mod)(\.ts|\/)/;
  assertEquals(MODULES.map(({ path }) => path).filter((path) => empty.test(path)), []);
});

/** Whether a source only passes on what other files export. */
function isBarrel(source: string): boolean {
  const rest = source.replaceAll(COMMENT, "")
    .replaceAll(/^import\b[^;]*;/gm, "")
    .replaceAll(/^export\s+(type\s+)?(\*|\{)[^;]*;/gm, "");
  return rest.trim() === "";
}

Deno.test("no file only passes on what others export", () => {
  assert(isBarrel('/** All. */\nexport * from "./a.ts";\nexport type { B } from "./b.ts";\n'));
  assert(isBarrel('import { a } from "./a.ts";\nexport { a };\n'));
  assert(!isBarrel('export { a } from "./a.ts";\nexport const b = 1;\n'));
  assertEquals(MODULES.filter(({ source }) => isBarrel(source)).map(({ path }) => path), []);
});

Deno.test("nothing in the project leans on the machine it was made on", async () => {
  // Put together, so that this file does not find itself.
  const foreign = new RegExp(
    ["\\.\\./" + "shared\\b", "/" + "work/", "/" + "root/", "/" + "home/", "/" + "Users/"].join("|"),
  );
  const tests = (await filesBelow("tests/")).filter((path) => path.endsWith(".ts"));
  const documents = (await filesBelow("src/")).filter((path) => path.endsWith(".md"));
  const found: string[] = [];
  for (const path of [...PATHS, ...tests, ...documents, "deno.json"]) {
    const lines = (await read(path)).split("\n");
    lines.forEach((line, i) => foreign.test(line) && found.push(`${path}:${i + 1}: ${line.trim()}`));
  }
  assertEquals(found, []);
});
