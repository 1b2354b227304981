import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { loadFreshPlugin, loadPlugins, PluginLoadError } from "../../src/plugins/load_plugins.ts";

const VALIBOT = import.meta.resolve("valibot");

/** A folder of modules, each by its name. */
class Modules implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async make(): Promise<Modules> {
    return new Modules(await Deno.makeTempDir({ prefix: "taskwire-plugins-" }));
  }

  /** Writes a module; returns its path. */
  async write(name: string, source: string): Promise<string> {
    const path = `${this.#folder}/${name}.ts`;
    await Deno.writeTextFile(path, source);
    return path;
  }

  /** What is wrong with a module, as it is told; empty where nothing is. */
  async fault(name: string, source: string): Promise<string> {
    const path = await this.write(name, source);
    try {
      await loadFreshPlugin(path, 0.5);
      return "";
    } catch (error) {
      assert(error instanceof PluginLoadError, `${error}`);
      assert(error.message.includes(path), error.message);
      return error.message.replaceAll(path, name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

Deno.test("what is no plug-in, or would take what is others', is refused with the place that is wrong", async () => {
  await using modules = await Modules.make();
  const handle = "handle: () => ({})";
  const faults: Readonly<Record<string, readonly [string, RegExp]>> = {
    records: [
      `namespaces: [{ name: "x", records: { space: "data", read() {} } }]`,
      /namespaces\.0\.records: is of/,
    ],
    topics: [
      `namespaces: [{ name: "x", topics: 7 }]`,
      /namespaces\.0\.topics: is of what is built in alone$/,
    ],
    of: [`namespaces: [{ name: "x", of: "data" }]`, /namespaces\.0\.of: /],
    payload: [
      `namespaces: [{ name: "x", payload: {} }]`,
      /namespaces\.0\.payload: must be a schema of valibot$/,
    ],
    types: [`types: 5`, /types: /],
    type: [`types: [{ type: "zz" }]`, /types\.0\.schema: /],
    costly: [`types: [{ type: "zz", schema: v.object({}), cost: -1, ${handle} }]`, /types\.0\.cost: /],
    zod: [`messages: [{ type: "zz", schema: { parse() {} }, ${handle} }]`, /messages\.0\.schema: must be/],
    getter: [`get messages() { throw new Error("not now"); }`, /it cannot be looked at: not now$/],
  };
  for (const [name, [source, told]] of Object.entries(faults)) {
    const module = `import * as v from "${VALIBOT}"; export default { name: "x", v, ${source} };`;
    assertMatch(await modules.fault(name, module), told);
  }
});

Deno.test("a schema that is async, or has something async in it, is refused: it would let everything through", async () => {
  await using modules = await Modules.make();
  const never = "v.checkAsync(async () => false)";
  const schemas = [
    `v.pipeAsync(v.object({}), ${never})`,
    `v.objectAsync({ a: v.string() })`,
    `v.pipe(v.object({}), ${never})`,
    `v.object({ a: v.optional(v.array(v.pipeAsync(v.string(), ${never}))) })`,
    `v.variant("kind", [v.object({ kind: v.literal("a"), b: v.pipeAsync(v.string(), ${never}) })])`,
    `v.pipe(v.object({}), v.check(async () => false))`,
  ];
  for (const [i, schema] of schemas.entries()) {
    for (
      const [at, plugin] of Object.entries({
        "messages.0.schema": `messages: [{ type: "zz", schema, handle: () => ({}) }]`,
        "types.0.schema": `types: [{ type: "zz", schema, cost: 1, handle: () => ({}) }]`,
        "namespaces.0.payload": `namespaces: [{ name: "x", payload: schema }]`,
      })
    ) {
      const module =
        `import * as v from "${VALIBOT}"; const schema = ${schema}; export default { name: "x", ${plugin} };`;
      const told = await modules.fault(`${at}_${i}`, module);
      assert(told.includes(`${at}: must not be async`), `${schema}: ${told}`);
    }
  }
  const sound = `import * as v from "${VALIBOT}";
    const Tree = v.object({ of: v.array(v.lazy(() => Tree)), at: v.optional(v.date(), () => new Date()) });
    const schema = v.pipe(v.object({ a: v.nullish(v.union([v.number(), v.literal("b")]), [1]), tree: Tree,
      c: v.variant("kind", [v.strictObject({ kind: v.literal("a") })]) }), v.check(() => true), v.title("t"));
    export default { name: "x", namespaces: [{ name: "x", of: "task", payload: schema }],
      messages: [{ type: "zz", schema, handle: () => ({}) }] };`;
  assertEquals(await modules.fault("sound", sound), "");
});

Deno.test("a module that cannot be loaded is refused with why", async () => {
  await using modules = await Modules.make();
  assertMatch(
    await modules.fault("syntax", "export default {{{"),
    /^Cannot load the plug-in syntax: SyntaxError: Unexpected token [^]* at file:\S+:1:17$/,
  );
  assertEquals(
    await modules.fault("throws", `throw new Error("no such database");`),
    "Cannot load the plug-in throws: no such database",
  );
  assertEquals(
    await modules.fault("odd", `throw Object.create(null);`),
    "Cannot load the plug-in odd: it throws a object",
  );
  assertMatch(await modules.fault("lost", `import "./nowhere.ts";`), /Module not found .*nowhere\.ts/);
  const path = await modules.write("start", `throw new Error("no such database");`);
  await assertRejects(() => loadPlugins([path]), PluginLoadError, "no such database");
});

Deno.test("a module that is late is waited for no longer than it may take, and is there when it is asked for again", async () => {
  await using modules = await Modules.make();
  const late = "await new Promise((resolve) => setTimeout(resolve, 800)); export default { name: 'x' };";
  const path = await modules.write("late", late);
  const told = `Cannot load the plug-in ${path}: it did not load within 0.5 s`;
  await assertRejects(() => loadFreshPlugin(path, 0.5), PluginLoadError, told);
  assertEquals((await loadFreshPlugin(path, 30)).name, "x");
});

Deno.test("a module is what its file is now, however old that says it is", async () => {
  await using modules = await Modules.make();
  const then = new Date(1_700_000_000_000);
  for (const name of ["one", "two", "one"]) {
    const path = await modules.write("changing", `export default { name: "${name}" };`);
    await Deno.utime(path, then, then);
    assertEquals((await loadFreshPlugin(path)).name, name);
  }
});
