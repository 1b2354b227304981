import type { Command } from "commander";
import { CliError } from "./cli_error.ts";
import type { World } from "./world.ts";

const BENCHMARK = new URL("../../tests/bench/main.ts", import.meta.url);

/** `bench [options of the benchmark…]`. */
export function benchCommand(program: Command, world: World): void {
  program.command("bench")
    .description(
      "Run the project's benchmark, as `deno task bench` does: [--quick] [--only A,C] [--alternations 5]",
    )
    .argument("[arguments...]", "handed to the benchmark as they are")
    .allowUnknownOption()
    .action(async (args: readonly string[]) => {
      world.finish(await bench(args));
    });
}

async function bench(args: readonly string[]): Promise<number> {
  if (Deno.build.standalone || !await isThere(BENCHMARK)) {
    throw new CliError("the benchmark comes with the source only: run this in a checkout of taskwire");
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", BENCHMARK.pathname, ...args],
    cwd: new URL("../../", BENCHMARK),
  }).spawn();
  // It cleans up after itself when it is stopped, and then we end too.
  for (const name of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(name, () => child.kill(name));
  return (await child.status).code;
}

async function isThere(file: URL): Promise<boolean> {
  try {
    return (await Deno.stat(file)).isFile;
  } catch {
    return false;
  }
}
