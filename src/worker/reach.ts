import process from "node:process";
import type { NatsConnection } from "nats.ws";
import type { Token } from "./http_request.ts";
import { WorkerError } from "./worker_error.ts";

/** Who is shown where, and how long NATS is looked for. Times are in ms. */
export type ReachOptions = {
  /** Bearer token of the gateway, or what fetches a fresh one for each request; the token of NATS. */
  readonly token?: Token;
  /** User of NATS. */
  readonly user?: string;
  /** Password of {@link ReachOptions.user}. */
  readonly password?: string;
  /** The text of a NATS creds file. */
  readonly creds?: string;
  /** A NATS creds file, read again at every connect. */
  readonly credsFile?: string;
  /** Where NATS answers come in, for a user that may not listen on all of `_INBOX.>`. */
  readonly inboxPrefix?: string;
  /** First token of the subjects in NATS. Default: `taskwire`. */
  readonly prefix?: string;
  /** How long to look for NATS before connecting rejects. Default: 10 s; Infinity: for ever. */
  readonly connectMs?: number;
};

/** Told of what no call can be rejected for. */
export type Warn = (trouble: WorkerError) => void;

/** Whether a URL is that of a gateway, and not of NATS. */
export function isGatewayUrl(url: string): boolean {
  return /^https?:/i.test(url);
}

/** The address of a gateway. Throws a {@link WorkerError} `invalid` where the text is none. */
export function parseGatewayUrl(text: string): URL {
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

/** Connects to NATS as `name`. Rejects with a {@link WorkerError} when it is not there or refuses us. */
export async function reachNats(
  url: string,
  options: ReachOptions & { readonly name: string; readonly onTrouble: Warn },
): Promise<NatsConnection> {
  const { connectNats, NatsConnectError } = await import("../nats/connect.ts");
  const { name, user, password, creds, credsFile, inboxPrefix, connectMs = 10_000, onTrouble } = options;
  const token = typeof options.token === "function" ? await options.token() : options.token;
  const credentials = defined({ user, password, token, creds, credsFile, inboxPrefix });
  let told = false;
  try {
    return await connectNats({ url, name, ...credentials }, {
      withinMs: connectMs,
      onWaiting(why) {
        if (!told) onTrouble(new WorkerError("unreachable", why.message, { cause: why }));
        told = true;
      },
    });
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
export function warn(trouble: WorkerError): void {
  process.emitWarning(trouble.message, { type: "TaskwireWorker", code: trouble.code });
}
