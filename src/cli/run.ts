import type { Command } from "commander";
import { ClientError, connect } from "../client/client.ts";
import { connectWorker, type TaskReporter } from "../worker/task_reporter.ts";
import { durationMs, tags, taskId, text, whole } from "./arguments.ts";
import { CliError, failureOf } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";
import { DEFAULT_URL, type Gateway, gatewayOf } from "./gateway.ts";
import { Lines, progressIn } from "./output_progress.ts";
import { begin, exitCodeOf, failureOfProgram, type Program, type ProgramEnd } from "./program_process.ts";
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
/** How often the gateway is asked whether the task is to be cancelled, ms. */
const CANCEL_POLL_MS = 1_000;
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
    .option("--grace <duration>", "between SIGTERM and SIGKILL when it is cancelled", durationMs, GRACE_MS)
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
  const worker = await connectWorker(gateway.http.href, {
    ...(gateway.token === undefined ? {} : { token: gateway.token }),
    progressIntervalMs: PROGRESS_MS,
    cancelPollMs: CANCEL_POLL_MS,
    closeMs: CLOSE_MS,
    onTrouble: ({ message }) => world.out.complain(`taskwire: ${message}\n`),
  });
  const about = { name, type, tags: tag, parent_id: parent, attempt };
  const stopping = new AbortController();
  let end: ProgramEnd | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await worker.run(id, { ...about, signal: stopping.signal }, async (task) => {
      const { stoppedBy, ...ran } = await supervised(task, command, options.grace, world);
      end = ran.end;
      timer = setTimeout(() => void worker.close(), END_MS);
      const failure = failureOfProgram(command[0] ?? "", end);
      if (failure !== undefined && stoppedBy !== undefined) {
        stopping.abort(new DOMException(`stopped by ${stoppedBy}`, "AbortError"));
      }
      // Whoever was asked to stop and did has not completed, whatever its code.
      task.signal.throwIfAborted();
      if (failure !== undefined) throw failure;
      return { exit_code: 0 };
    });
  } catch (error) {
    if (end === undefined) throw new CliError(failureOf(error).message, EXIT.notRun, { cause: error });
    if (end.kind === "notBegun") world.out.complain(`error: ${failureOf(error).message}\n`);
  } finally {
    clearTimeout(timer);
    await worker.close();
  }
  return end === undefined ? EXIT.notRun : exitCodeOf(end);
}

/** Runs the program until it ends, telling of its progress; stops it when the task is to be cancelled. */
async function supervised(
  task: TaskReporter,
  command: readonly string[],
  graceMs: number,
  { out }: World,
): Promise<{ readonly end: ProgramEnd; readonly stoppedBy: string | undefined }> {
  const heard = { stdout: new Lines(), stderr: new Lines() };
  const say = (lines: readonly string[]): void => lines.forEach((line) => report(task, line));
  const program = begin(command, (bytes) => {
    out.write(bytes);
    say(heard.stdout.take(bytes));
  }, (bytes) => {
    out.complain(bytes);
    say(heard.stderr.take(bytes));
  });
  let stoppedBy: string | undefined;
  const stopForwarding = forwardSignals(program, (name) => stoppedBy = name);
  const stopWatching = stopWhenCancelled(task.signal, program, graceMs);
  try {
    const end = await program.ended;
    say([...heard.stdout.end(), ...heard.stderr.end()]);
    return { end, stoppedBy };
  } finally {
    stopForwarding();
    stopWatching();
  }
}

function report(task: TaskReporter, line: string): void {
  const said = progressIn(line);
  if (said === undefined) return;
  const { current, ...counters } = said;
  task.progress({ ...counters, current: current === "" ? null : current });
}

/** What is meant for us is meant for the program: it ends as it sees fit, and we with it. */
function forwardSignals(program: Program, told: (name: string) => void): () => void {
  const listeners = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((name) => {
    const forward = (): void => {
      told(name);
      program.signal(name);
    };
    Deno.addSignalListener(name, forward);
    return () => Deno.removeSignalListener(name, forward);
  });
  return () => listeners.forEach((stop) => stop());
}

function stopWhenCancelled(signal: AbortSignal, program: Program, graceMs: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = (): void => {
    program.signal("SIGTERM");
    timer = setTimeout(() => program.signal("SIGKILL"), graceMs);
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  };
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
