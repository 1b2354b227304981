import { Command, CommanderError } from "commander";
import { benchCommand } from "./bench.ts";
import { cancelCommand } from "./cancel.ts";
import { failureOf } from "./cli_error.ts";
import { doctorCommand } from "./doctor.ts";
import { EXIT } from "./exit_codes.ts";
import { exportCommand } from "./export.ts";
import { historyCommand } from "./history.ts";
import { importCommand } from "./import.ts";
import { pipeCommand } from "./pipe.ts";
import { publishCommand } from "./publish.ts";
import { publishValueCommand } from "./publish_value.ts";
import { replayCommand } from "./replay.ts";
import { runCommand } from "./run.ts";
import { taskCommand } from "./task.ts";
import { tasksCommand } from "./tasks.ts";
import { tokenCommand } from "./token.ts";
import { watchCommand } from "./watch.ts";
import type { World } from "./world.ts";

const COMMANDS = [
  watchCommand,
  tasksCommand,
  taskCommand,
  historyCommand,
  replayCommand,
  publishCommand,
  publishValueCommand,
  pipeCommand,
  runCommand,
  cancelCommand,
  tokenCommand,
  exportCommand,
  importCommand,
  doctorCommand,
  benchCommand,
];

const EXIT_CODES = `
Exit codes:
  0    done
  1    it did not come about: not found, refused, out of reach; doctor found something wrong
  2    an argument breaks its rule
  130  stopped by Ctrl-C; 143: by SIGTERM
  run ends with the code of the program it ran (128 and more: ended by a signal), with 127 or 126 where there is
  none or it cannot be run, and with 125 where the gateway would not have it.`;

/** Does what the arguments say. Resolves with the exit code; whatever goes wrong is one sentence on standard error. */
export async function commandLine(args: readonly string[], world: Omit<World, "finish">): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = new Command("taskwire")
    .description("Watch, make and mend background tasks. Where: --url or TASKWIRE_URL.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => world.out.write(text),
      writeErr: (text) => world.out.complain(text),
      getOutHelpWidth: () => world.out.size()?.columns ?? 100,
      getErrHelpWidth: () => 100,
    })
    .addHelpText("after", EXIT_CODES);
  for (const add of COMMANDS) add(program, { ...world, finish: (code) => exitCode = code });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has said what is wrong by then.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.badArgument;
    const failure = failureOf(error);
    world.out.complain(`error: ${failure.message}\n`);
    return failure.exitCode;
  }
}
