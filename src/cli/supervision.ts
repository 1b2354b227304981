import { systemClock } from "../worker/clock.ts";
import type { TaskReporter } from "../worker/task_reporter.ts";
import { HeardOutput } from "./heard_output.ts";
import type { Outlet } from "./outlet.ts";
import type { Outlets } from "./outlets.ts";
import { begin, type Program, type ProgramEnd } from "./program_process.ts";

/** How a program that was supervised ended. */
export type Supervised = {
  readonly end: ProgramEnd;
  /** The signal that was meant for us and was handed on to it, if there was one. */
  readonly signal: string | undefined;
  /** Whether somebody wanted it to end, by that signal or by a cancel. */
  readonly wasStopped: boolean;
};

/**
 * Runs a program until it ends, telling of its progress and handing on its output; stops it when the task is to be
 * cancelled, by force after `graceMs`.
 */
export async function supervise(
  task: TaskReporter,
  command: readonly string[],
  { graceMs, outlets: { stdout, stderr } }: { readonly graceMs: number; readonly outlets: Outlets },
): Promise<Supervised> {
  const heard = { stdout: listener(task), stderr: listener(task) };
  const program = begin(
    command,
    (bytes) => handOn(bytes, heard.stdout, stdout),
    (bytes) => handOn(bytes, heard.stderr, stderr),
  );
  let signal: string | undefined;
  const stopForwarding = forwardSignals(program, (name) => signal = name);
  const stopWatching = stopWhenCancelled(task.signal, program, graceMs);
  try {
    const end = await program.ended;
    heard.stdout.end();
    heard.stderr.end();
    return { end, signal, wasStopped: signal !== undefined || task.signal.aborted };
  } finally {
    stopForwarding();
    stopWatching();
  }
}

function listener(task: TaskReporter): HeardOutput {
  return new HeardOutput(systemClock, ({ current, ...counters }) => {
    task.progress({ ...counters, current: current === "" ? null : current });
  });
}

function handOn(bytes: Uint8Array, heard: HeardOutput, outlet: Outlet): Promise<void> {
  heard.take(bytes);
  return outlet.pass(bytes);
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
