/** The command line: `deno task cli …`, or `deno run -A src/cli/main.ts …`. */
import { EXIT } from "./exit_codes.ts";
import { processOutput } from "./output.ts";
import { commandLine } from "./program.ts";
import { Stopped } from "./world.ts";

const STOPPING = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const;

/** One run of this process. */
async function main(): Promise<number> {
  const stopping = new AbortController();
  const stop = (exitCode: number): void => stopping.abort(new Stopped(exitCode));
  // Whoever reads no more has what they wanted.
  const out = processOutput(() => stop(EXIT.done));
  let listens = false;
  return await commandLine(Deno.args, {
    env: Deno.env.toObject(),
    out,
    stopSignal() {
      if (!listens) {
        Deno.addSignalListener("SIGINT", () => stop(STOPPING.SIGINT));
        Deno.addSignalListener("SIGTERM", () => stop(STOPPING.SIGTERM));
      }
      listens = true;
      return stopping.signal;
    },
  });
}

if (import.meta.main) Deno.exit(await main());
