import { systemClock } from "./clock.ts";
import { isGatewayUrl, parseGatewayUrl, reachNats, type ReachOptions, warn } from "./reach.ts";
import { Sealing } from "./sealing.ts";
import type { OnTrouble } from "./sender.ts";
import type { Transport } from "./transport.ts";
import { createWorker, type Worker, type WorkerOptions } from "./worker.ts";

/** How long is waited between attempts. */
export type { Backoff } from "./backoff.ts";
/** Time and chance, which tests bring along. */
export type { Clock } from "./clock.ts";
/** How far a task is. */
export type { Counters } from "./counters.ts";
/** Who says so: a token, or what fetches one. */
export type { Token } from "./http_request.ts";
/** Publishes values to channels. */
export { connectPublisher } from "./publisher.ts";
/** What publishes values to channels, and how. */
export type { Publication, Publisher, PublisherOptions } from "./publisher.ts";
/** Where the log or a gateway is reached, and by whom. */
export type { ReachOptions } from "./reach.ts";
/** Writes lines into the log of a task. */
export { type Level, type TaskLog, taskLog } from "./task_log.ts";
/** What a task is, and what tells of it. */
export type { About, TaskReporter } from "./reporter.ts";
/** How a task is worked on, and the work itself. */
export type { RunOptions, Work } from "./run.ts";
/** With what a worker seals what it says. */
export type { Encryption } from "./sealing.ts";
/** Who is told of what no call can be rejected for. */
export type { OnTrouble } from "./sender.ts";
/** What can be counted as it is worked off, how, and what that becomes. */
export type { Trackable, Tracked, TrackOptions } from "./track.ts";
/** Where in the log an event is. */
export type { Stored } from "./transport.ts";
/** What reports on tasks, and how. */
export type { Worker, WorkerOptions } from "./worker.ts";
/** Why something is not in the log, and the words for it. */
export { WorkerError, type WorkerErrorCode } from "./worker_error.ts";

/** Where the events go, and who says so. */
export type ConnectOptions = WorkerOptions & ReachOptions & {
  /** The stream in NATS, asked for earlier requests to cancel. Default: `TASKWIRE`. */
  readonly stream?: string;
  /** Into how many partitions NATS maps the tasks, where it does: to find requests to cancel. */
  readonly partitions?: number;
  /** How often a running task is looked at over HTTP, in ms, to notice a cancel. Default: 2000. */
  readonly cancelPollMs?: number;
};

/**
 * A worker that reports to `url`: `nats://`, `tls://`, `ws://` or `wss://` for NATS itself (several comma-separated), or
 * the `http://` or `https://` address of a gateway. Rejects with a {@link WorkerError} when NATS is not there or refuses
 * us; a gateway is first spoken to with the first event.
 *
 * ```ts
 * await using worker = await connectWorker("nats://127.0.0.1:4222");
 * await worker.run("import-42", { name: "Import", tags: ["user-1"] }, async (task) => {
 *   for await (const file of task.track(files)) await load(file, { signal: task.signal });
 *   return { rows: 3 };
 * });
 * ```
 */
export async function connectWorker(url: string, options: ConnectOptions = {}): Promise<Worker> {
  const { onTrouble = warn, encryption } = options;
  // Before anything is opened that would have to be closed again.
  if (encryption !== undefined) new Sealing(encryption);
  const transport = isGatewayUrl(url) ? await gateway(url, options) : await nats(url, options, onTrouble);
  return createWorker(transport, { ...options, onTrouble });
}

// Each way to the log is loaded when it is taken, so that one works without what the other needs.

async function gateway(text: string, options: ConnectOptions): Promise<Transport> {
  const { httpTransport } = await import("./http_transport.ts");
  const { clock = systemClock, token, cancelPollMs = 2_000 } = options;
  return httpTransport(parseGatewayUrl(text), { clock, token, cancelPollMs });
}

async function nats(url: string, options: ConnectOptions, onTrouble: OnTrouble): Promise<Transport> {
  const { natsTransport } = await import("./nats_transport.ts");
  const connection = await reachNats(url, { ...options, name: "taskwire worker", onTrouble });
  const { clock = systemClock, prefix = "taskwire", stream = "TASKWIRE", partitions } = options;
  return natsTransport(connection, { clock, prefix, stream, partitions });
}
