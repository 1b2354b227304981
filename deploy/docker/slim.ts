/**
 * Takes out of deno.json, in the folder it is run in, the packages that no source there imports: those of tests and
 * benchmarks, which Deno would fetch and keep with the rest. The versions of what stays are those of deno.lock.
 */
type Config = { imports: Record<string, string> };

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* sources(`${folder}/${name}`);
    else if (/\.tsx?$/.test(name)) yield await Deno.readTextFile(`${folder}/${name}`);
  }
}

const all = (await Array.fromAsync(sources("src"))).join("\n");
const config: Config = JSON.parse(await Deno.readTextFile("deno.json"));
config.imports = Object.fromEntries(
  Object.entries(config.imports).filter(([name]) => all.includes(`"${name}"`) || all.includes(`"${name}/`)),
);
await Deno.writeTextFile("deno.json", JSON.stringify(config, undefined, 2));
