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
  let isLost = false;
  const out = processOutput((why) => {
    // Whoever reads no more has what they wanted.
    if (why === undefined) return stop(EXIT.done);
    isLost = true;
    out.complain(`error: standard output takes no more: ${why}\n`);
    stop(EXIT.failed);
  });
  let listens = false;
  const exitCode = await commandLine(Deno.args, {
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
  return isLost && exitCode === EXIT.done ? EXIT.failed : exitCode;
}

if (import.meta.main) Deno.exit(await main());
