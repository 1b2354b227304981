import { type Command, Option } from "commander";
import { ClientError, connect } from "../client/client.ts";
import { connectWorker } from "../worker/task_reporter.ts";
import { durationMs, tags, taskId, text, whole } from "./arguments.ts";
import { CliError, failureOf } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";
import { DEFAULT_URL, type Gateway, gatewayOf } from "./gateway.ts";
import { outletsOf } from "./outlets.ts";
import { exitCodeOf, failureOfProgram, OUTPUT_MS } from "./program_process.ts";
import { supervise, type Supervised } from "./supervision.ts";
import { harmless } from "./text_width.ts";
import type { World } from "./world.ts";

type ProgramOptions = {
  readonly url?: string;
  readonly token?: string;
  readonly name?: string;
  readonly type?: string;
  readonly tag?: readonly string[];
  readonly parent?: string;
  readonly attempt?: number;
  readonly grace: number;
};

/** The least time between two sendings of progress, ms: as often as somebody who watches can follow. */
const PROGRESS_MS = 200;
/** How often the gateway is asked whether the task is to be cancelled, a quarter more or less, ms: noticed within a second. */
const CANCEL_POLL_MS = 400;
/** How long the gateway may take to say which attempt was the last, ms. */
const LAST_ATTEMPT_MS = 3_000;
const GRACE_MS = 10_000;
/** How long the log may take to hear of the end; the program's code is not kept back for longer, ms. */
const END_MS = 10_000;
/** And how long closing waits once that is over, ms. */
const CLOSE_MS = 500;

/** `run <id> -- <command…>`. */
export function runCommand(program: Command, world: World): void {
  program.command("run")
    .description(
      "Run any program as a task: its output passes through, n/m or n% in it becomes progress, and its exit code " +
        "decides how the task ends and is that of this command. A cancel is SIGTERM, and SIGKILL after a grace.",
    )
    .argument("<id>", "the task's id", taskId)
    .argument("<command...>", "the program and its arguments, after --")
    .option("--url <url>", `the gateway; default: TASKWIRE_URL, else ${DEFAULT_URL}`)
    .option("--token <token>", "a token for the gateway; default: TASKWIRE_TOKEN")
    .option("--name <text>", "what people call the task; default: the command", text(512))
    .option("--type <text>", "what kind of task it is", text(64))
    .option("--tag <tag>", "a tag; may be given 16 times", tags)
    .option("--parent <id>", "the task this one is a part of", taskId)
    .option("--attempt <n>", "which attempt; default: one after the last", whole(1, 1_000_000))
    .addOption(
      new Option("--grace <duration>", "between SIGTERM and SIGKILL when it is cancelled")
        .argParser(durationMs).default(GRACE_MS, "10s"),
    )
    .action(async (id: string, command: readonly string[], options: ProgramOptions) => {
      world.finish(await runProgram(id, command, options, world));
    });
}

async function runProgram(
  id: string,
  command: readonly string[],
  options: ProgramOptions,
  world: World,
): Promise<number> {
  const gateway = gatewayOf(options, world.env);
  const attempt = options.attempt ?? await nextAttempt(id, gateway);
  const { name = harmless(command.join(" ")).slice(0, 512), type, tag, parent } = options;
  const outlets = outletsOf(world.out);
  const worker = await connectWorker(gateway.http.href, {
    ...(gateway.token === undefined ? {} : { token: gateway.token }),
    progressIntervalMs: PROGRESS_MS,
    cancelPollMs: CANCEL_POLL_MS,
    closeMs: CLOSE_MS,
    onTrouble: ({ message }) => outlets.complain(`taskwire: ${message}\n`),
  });
  const about = { name, type, tags: tag, parent_id: parent, attempt };
  const stopping = new AbortController();
  let ran: Supervised | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await worker.run(id, { ...about, signal: stopping.signal }, async (task) => {
      ran = await supervise(task, command, { graceMs: options.grace, outlets });
      timer = setTimeout(() => void worker.close(), END_MS);
      const failure = failureOfProgram(command[0] ?? "", ran.end);
      if (failure !== undefined && ran.signal !== undefined) {
        stopping.abort(new DOMException(`stopped by ${ran.signal}`, "AbortError"));
      }
      // Whoever was asked to stop and did has not completed, whatever its code.
      task.signal.throwIfAborted();
      if (failure !== undefined) throw failure;
      return { exit_code: 0 };
    });
  } catch (error) {
    if (ran === undefined) throw new CliError(failureOf(error).message, EXIT.notRun, { cause: error });
    if (ran.end.kind === "notBegun") outlets.complain(`error: ${failureOf(error).message}\n`);
  } finally {
    clearTimeout(timer);
    await worker.close();
    // Who reads slowly gets all of it, as from any program; unless somebody wants an end.
    await outlets.flushed(ran?.wasStopped ?? true ? OUTPUT_MS : undefined);
  }
  return ran === undefined ? EXIT.notRun : exitCodeOf(ran.end);
}

/** One after the last attempt of this task; 1 where there was none, or nobody knows. */
async function nextAttempt(id: string, { socket, token }: Gateway): Promise<number> {
  const client = connect(socket, {
    requestTimeoutMs: LAST_ATTEMPT_MS,
    ...(token === undefined ? {} : { token: () => token }),
  });
  try {
    const { attempt, start_time: start } = await client.getTask(id);
    // One that was only announced is begun by this very run.
    return start === null ? attempt : attempt + 1;
  } catch (error) {
    if (error instanceof ClientError) return 1;
    throw error;
  } finally {
    client.close();
  }
}
