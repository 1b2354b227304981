import { ATTEMPT_BACKOFF, type Backoff, backoffMs } from "./backoff.ts";
import { type Clock, sleep } from "./clock.ts";
import { check } from "./outgoing.ts";
import type { About, Reporter, TaskReporter } from "./reporter.ts";
import type { OnTrouble } from "./sender.ts";
import { asWorkerError, messageOf, WorkerError } from "./worker_error.ts";

/** What a task is, and how it is worked on. */
export type RunOptions = About & {
  /** How often the work is tried in all. Default: 1. */
  readonly attempts?: number | undefined;
  /** The number of the first attempt. A task that has ended is run again under a higher one. Default: 1. */
  readonly attempt?: number | undefined;
  /** How long to wait before each further attempt. Default: 1 s, twice as long each time up to 1 min, half by chance. */
  readonly backoff?: Partial<Backoff> | undefined;
  /** Whether an error is worth another attempt. Default: every one is. */
  readonly retryIf?: ((error: unknown) => boolean) | undefined;
  /** Cancels the task from this side; its reason is the reason. */
  readonly signal?: AbortSignal | undefined;
};

/** The work itself. What it returns is the task's result, kept in the log if it is JSON of up to 64 KiB. */
export type Work<R> = (task: TaskReporter) => R | PromiseLike<R>;

/** How long the work waits for the log to take `started`, in ms. After that it begins; the events follow. */
const START_WAIT_MS = 1_000;

type World = { readonly clock: Clock; readonly onTrouble: OnTrouble };

/**
 * Works on a task and tells how it ends: `completed` on return, `cancelled` when it threw because its signal aborted,
 * `failed` on any other throw. Resolves with the result, or rejects with what was thrown, once the log has it; rejects
 * with a {@link WorkerError} before the work begins when the log refuses the task, and after it when it refuses its end.
 */
export async function runTask<R>(
  task: Reporter,
  options: RunOptions,
  work: Work<R>,
  world: World,
): Promise<R> {
  const { attempts = 1, signal: cancel, name, type, tags, parent_id, total } = options;
  const about = { name, type, tags, parent_id, total };
  check("created", about);
  if (!Number.isInteger(attempts) || attempts < 1) {
    throw new WorkerError("invalid", `attempts: must be a whole number from 1, is ${attempts}`);
  }
  const lastAttempt = task.attempt + attempts - 1;
  const aborted = () => task.abort(cancel?.reason, messageOf(cancel?.reason));
  cancel?.addEventListener("abort", aborted, { once: true });
  if (cancel?.aborted) aborted();
  try {
    await begun([task.created(about), task.started()], world);
    let attempt: (task: Reporter) => R | PromiseLike<R> = work;
    for (;;) {
      const tried = await outcomeOf(attempt, task);
      if ("result" in tried) {
        await complete(task, tried.result, world);
        return tried.result;
      }
      const { error } = tried;
      const next = afterThrow(
        error,
        task.signal,
        () => task.attempt < lastAttempt && worthRetrying(error, options),
      );
      if (next !== "retry") {
        await end(task, next, error, world);
        throw error;
      }
      attempt = nextAttempt(work, error, options, world);
    }
  } finally {
    cancel?.removeEventListener("abort", aborted);
    task.stop();
  }
}

/** What to do after `error` ended an attempt. A cancelled task is not tried again, whatever it threw. */
export function afterThrow(
  error: unknown,
  signal: AbortSignal,
  mayRetry: () => boolean,
): "cancelled" | "failed" | "retry" {
  if (signal.aborted) return isAbort(error, signal.reason) ? "cancelled" : "failed";
  return mayRetry() ? "retry" : "failed";
}

function worthRetrying(error: unknown, { retryIf }: RunOptions): boolean {
  try {
    return retryIf?.(error) ?? true;
  } catch {
    // The error of the work matters more than one in judging it.
    return false;
  }
}

/** How deep a cause is looked for: libraries wrap what they were aborted with. */
const MAX_CAUSES = 8;

/** Whether `error` says that work stopped because it was aborted: the reason itself, any `AbortError`, or one as its cause. */
function isAbort(error: unknown, reason: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES; depth++) {
    if (cause === reason) return true;
    if (!(cause instanceof Error)) return false;
    if (cause.name === "AbortError") return true;
    cause = cause.cause;
  }
  return false;
}

type Tried<R> = { readonly result: R } | { readonly error: unknown };

async function outcomeOf<R>(
  attempt: (task: Reporter) => R | PromiseLike<R>,
  task: Reporter,
): Promise<Tried<R>> {
  try {
    return { result: await attempt(task) };
  } catch (error) {
    return { error };
  }
}

/** A further attempt: says so, waits, and does the work. A cancel while it waits is thrown as one in the work is. */
function nextAttempt<R>(
  work: Work<R>,
  error: unknown,
  options: RunOptions,
  world: World,
): (task: Reporter) => Promise<R> {
  return async (task) => {
    const failedAttempts = task.attempt - (options.attempt ?? 1) + 1;
    task.retrying(error).catch((refused) => tell(world, refused));
    const backoff = { ...ATTEMPT_BACKOFF, ...options.backoff };
    await sleep(world.clock, backoffMs(backoff, failedAttempts, world.clock.random()), task.signal);
    task.started().catch((refused) => tell(world, refused));
    return await work(task);
  };
}

/** Waits until the log has the events, but not through an outage; rejects when it refuses them while we wait. */
function begun(events: readonly Promise<unknown>[], world: World): Promise<void> {
  return new Promise((resolve, reject) => {
    let waiting = true;
    const goOn = () => {
      waiting = false;
      resolve();
    };
    const stop = world.clock.after(START_WAIT_MS, goOn);
    Promise.all(events).then(() => {
      stop();
      goOn();
    }, (error) => {
      stop();
      if (waiting) reject(error);
      else tell(world, error);
    });
  });
}

async function complete(task: Reporter, result: unknown, world: World): Promise<void> {
  // The work may have said itself how it ended.
  if (task.ended) return await task.flush();
  try {
    await task.completed(result);
  } catch (error) {
    if (!(error instanceof WorkerError) || error.code !== "invalid") throw error;
    // The work is done whatever its result looks like.
    tell(world, error);
    await task.completed();
  }
}

/** Says how it ended. That the log refuses it is told beside: the work's own error matters more to the caller. */
async function end(
  task: Reporter,
  kind: "cancelled" | "failed",
  error: unknown,
  world: World,
): Promise<void> {
  try {
    if (task.ended) await task.flush();
    else if (kind === "cancelled") await task.cancelled();
    else await task.failed(error);
  } catch (refused) {
    tell(world, refused);
  }
}

/** Tells what nobody awaits. Closing tells by itself what it left behind. */
function tell({ onTrouble }: World, error: unknown): void {
  const trouble = asWorkerError(error);
  if (trouble.code !== "closed") onTrouble(trouble);
}
