import { type Clock, systemClock } from "./clock.ts";
import { check, parseTaskId } from "./outgoing.ts";
import { Reporter, type ReporterWorld, type TaskReporter } from "./reporter.ts";
import { type RunOptions, runTask, type Work } from "./run.ts";
import { type Encryption, Sealing } from "./sealing.ts";
import { type OnTrouble, Sender } from "./sender.ts";
import type { Transport } from "./transport.ts";
import { within } from "./within.ts";
import { WorkerError } from "./worker_error.ts";

/** How a worker reports. Times are in ms. */
export type WorkerOptions = {
  /** The least time between two sendings of a task's progress. Default: 1000. */
  readonly progressIntervalMs?: number;
  /**
   * How long a task at work may say nothing until its progress is said again, so that it is known to be worked on.
   * Default: 10,000; 0: it is not. A gateway calls it stale after 30 s of silence.
   */
  readonly heartbeatMs?: number;
  /**
   * Events kept while the log is slow or out of reach. Default: 1000. There the oldest progress is dropped first; then
   * status events wait for room, as many again; further ones are rejected as `overloaded`.
   */
  readonly maxQueued?: number;
  /** Tasks that send at the same time. Default: 32; the others take turns. */
  readonly maxInFlight?: number;
  /** How long an event is tried for, after which its call rejects as `unreachable`. Default: until the worker closes. */
  readonly deadlineMs?: number;
  /** Seals what the worker says for those who have the key. Default: gateways and the log can read all of it. */
  readonly encryption?: Encryption;
  /** How long closing waits for what is not in the log yet. Default: 5000. */
  readonly closeMs?: number;
  /**
   * Told what no call can be rejected for: that the log is out of reach (at most once a minute), progress that was
   * refused, events left behind at closing. Default: a process warning.
   */
  readonly onTrouble?: OnTrouble;
  /** Time and chance; tests bring their own. */
  readonly clock?: Clock;
  /** Makes the ids by which the log knows a repeated event. Default: random UUIDs. */
  readonly newId?: () => string;
};

/** Reports on tasks. `await using` it, or `close()` it: it has timers and a connection. */
export interface Worker extends AsyncDisposable {
  /**
   * Works on a task and tells how it goes and ends: `completed` with what `work` returns, `failed` with what it throws,
   * `cancelled` when it threw because `task.signal` aborted. Resolves or rejects as `work` does, once the log knows.
   */
  run<R>(id: string, options: RunOptions, work: Work<R>): Promise<R>;
  /** Reports on a task step by step, for work that does not fit in a function. */
  task(id: string, options?: { readonly attempt?: number }): TaskReporter;
  /** Resolves when the log has everything said so far, held progress included. */
  flush(): Promise<void>;
  /** Flushes for up to `closeMs`, then ends: unsent events reject as `closed`, signals of running tasks abort. */
  close(): Promise<void>;
}

/** A worker that reports over `transport`, which it closes with itself. Throws a `WorkerError` for keys that are none. */
export function createWorker(
  transport: Transport,
  options: WorkerOptions & { readonly onTrouble: OnTrouble },
): Worker {
  const { clock = systemClock, closeMs = 5_000 } = options;
  // Not in the middle of a turn of ours: what it throws is the caller's, and may break nothing here.
  const onTrouble: OnTrouble = (trouble) => queueMicrotask(() => options.onTrouble(trouble));
  const { maxQueued = 1_000, maxInFlight = 32, deadlineMs = Infinity } = options;
  const sealing = options.encryption && new Sealing(options.encryption);
  const sender = new Sender(sealing?.over(transport) ?? transport, {
    clock,
    onTrouble,
    limits: { maxQueued, maxInFlight, deadlineMs },
  });
  const open = new Set<Reporter>();
  let isClosed = false;
  const world: ReporterWorld = {
    clock,
    onTrouble,
    newId: options.newId ?? (() => crypto.randomUUID()),
    progressIntervalMs: options.progressIntervalMs ?? 1_000,
    heartbeatMs: options.heartbeatMs ?? 10_000,
    submit: (event) => {
      sealing?.check(event);
      return sender.submit(event);
    },
    offer: (event, settled) => sender.offer(event, settled),
    flush: (taskId) => sender.flush(taskId),
    watchCancels: (taskId, requested) => transport.watchCancels(taskId, requested),
    opened: (reporter) => {
      open.add(reporter);
      // What begins in this turn, with what is said too late, ends with it.
      if (isClosed) queueMicrotask(() => reporter.stop());
    },
    stopped: (reporter) => void open.delete(reporter),
  };
  const report = (id: string, attempt = 1) => {
    check("started", { attempt });
    return new Reporter(parseTaskId(id), attempt, world);
  };
  const flush = () => {
    for (const reporter of open) reporter.sendHeld();
    return sender.flush();
  };

  async function end(): Promise<void> {
    await within(closeMs, flush(), clock);
    isClosed = true;
    const unsent = sender.close();
    const closed = new WorkerError("closed", "the worker was closed");
    for (const reporter of open) {
      reporter.abort(closed);
      reporter.stop();
    }
    await transport[Symbol.asyncDispose]();
    if (unsent > 0) {
      onTrouble(new WorkerError("closed", `the worker was closed with ${unsent} events not in the log`));
    }
  }
  let ended: Promise<void> | undefined;
  const close = () => ended ??= end();

  return {
    run: async (id, runOptions, work) =>
      await runTask(report(id, runOptions.attempt), runOptions, work, { clock, onTrouble }),
    task: (id, { attempt } = {}) => report(id, attempt),
    flush,
    close,
    [Symbol.asyncDispose]: close,
  };
}
