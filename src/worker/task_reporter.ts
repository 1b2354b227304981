import process from "node:process";
import { systemClock } from "./clock.ts";
import type { Token } from "./http_request.ts";
import { Sealing } from "./sealing.ts";
import type { OnTrouble } from "./sender.ts";
import type { Transport } from "./transport.ts";
import { createWorker, type Worker, type WorkerOptions } from "./worker.ts";
import { WorkerError } from "./worker_error.ts";

/** How long is waited between attempts. */
export type { Backoff } from "./backoff.ts";
/** Time and chance, which tests bring along. */
export type { Clock } from "./clock.ts";
/** How far a task is. */
export type { Counters } from "./counters.ts";
/** Who says so: a token, or what fetches one. */
export type { Token } from "./http_request.ts";
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
export type ConnectOptions = WorkerOptions & {
  /** Bearer token of the gateway, or what fetches a fresh one for each request; the token of NATS. */
  readonly token?: Token;
  /** User of NATS. */
  readonly user?: string;
  /** Password of {@link ConnectOptions.user}. */
  readonly password?: string;
  /** The text of a NATS creds file. */
  readonly creds?: string;
  /** A NATS creds file, read again at every connect. */
  readonly credsFile?: string;
  /** Where NATS answers come in, for a user that may not listen on all of `_INBOX.>`. */
  readonly inboxPrefix?: string;
  /** First token of the subjects in NATS. Default: `taskwire`. */
  readonly prefix?: string;
  /** The stream in NATS, asked for earlier requests to cancel. Default: `TASKWIRE`. */
  readonly stream?: string;
  /** Into how many partitions NATS maps the tasks, where it does: to find requests to cancel. */
  readonly partitions?: number;
  /** How long to look for NATS, in ms, before connecting rejects. Default: 10 s; Infinity: for ever. */
  readonly connectMs?: number;
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
  const transport = /^https?:/i.test(url) ? await gateway(url, options) : await nats(url, options, onTrouble);
  return createWorker(transport, { ...options, onTrouble });
}

// Each way to the log is loaded when it is taken, so that one works without what the other needs.

async function gateway(text: string, options: ConnectOptions): Promise<Transport> {
  const { httpTransport } = await import("./http_transport.ts");
  const { clock = systemClock, token, cancelPollMs = 2_000 } = options;
  return httpTransport(parseGatewayUrl(text), { clock, token, cancelPollMs });
}

function parseGatewayUrl(text: string): URL {
  if (!URL.canParse(text)) throw new WorkerError("invalid", `${JSON.stringify(text)} is not a URL`);
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    throw new WorkerError(
      "invalid",
      `${url.origin}: a gateway takes a token, not a user and password in the URL`,
    );
  }
  url.search = "";
  url.hash = "";
  return url;
}

async function nats(url: string, options: ConnectOptions, onTrouble: OnTrouble): Promise<Transport> {
  const { connectNats, NatsConnectError } = await import("../nats/connect.ts");
  const { natsTransport } = await import("./nats_transport.ts");
  const { user, password, creds, credsFile, inboxPrefix, connectMs = 10_000 } = options;
  const token = typeof options.token === "function" ? await options.token() : options.token;
  const credentials = defined({ user, password, token, creds, credsFile, inboxPrefix });
  let told = false;
  try {
    const connection = await connectNats({ url, name: "taskwire worker", ...credentials }, {
      withinMs: connectMs,
      onWaiting(why) {
        if (!told) onTrouble(new WorkerError("unreachable", why.message, { cause: why }));
        told = true;
      },
    });
    const { clock = systemClock, prefix = "taskwire", stream = "TASKWIRE", partitions } = options;
    return natsTransport(connection, { clock, prefix, stream, partitions });
  } catch (error) {
    if (!(error instanceof NatsConnectError)) throw error;
    throw new WorkerError(error.code, error.message, { cause: error });
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** `members` without those that are undefined, which `exactOptionalPropertyTypes` tells apart. */
function defined<T extends object>(members: T): Defined<T> {
  // What was filtered out is what the type says is gone.
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** Where nobody else wants to hear of trouble, the process says it once on stderr. */
function warn(trouble: WorkerError): void {
  process.emitWarning(trouble.message, { type: "TaskwireWorker", code: trouble.code });
}
