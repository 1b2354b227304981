import type { NatsConnection } from "nats.ws";
import * as v from "valibot";
import type { Link } from "../nats/link.ts";
import { LogError } from "./event_log.ts";

/** Where the log lies in NATS. */
export type JetStream = {
  readonly link: Link;
  /** The stream's name. */
  readonly stream: string;
  /** What every stored subject begins with; tokens between dots. */
  readonly prefix: string;
};

/** JetStream's own codes (`err_code`) that we tell apart. */
export const API_CODES = {
  insufficientResources: 10023,
  nameInUse: 10058,
  streamNotFound: 10059,
  subjectsOverlap: 10065,
  wrongLastSequence: 10071,
  storeFailed: 10077,
  /** A cluster is still storing a record of this id, so that it can say neither that it has it nor that it has not. */
  idInProcess: 10158,
  /** As `wrongLastSequence`, of a cluster that is still storing another record of the subject. */
  wrongLastInProcess: 10164,
  tooManyRequests: 10167,
} as const;

/** JetStream answered with an error instead of doing what was asked. */
export class ApiError extends Error {
  override name = "ApiError";
  /** Like an HTTP status. */
  readonly status: number;
  /** JetStream's own code; see {@link API_CODES}. */
  readonly errCode: number;

  constructor(status: number, errCode: number, message: string) {
    super(message);
    this.status = status;
    this.errCode = errCode;
  }
}

const Failure = v.object({
  error: v.object({
    code: v.optional(v.number(), 500),
    err_code: v.optional(v.number(), 0),
    description: v.optional(v.string(), "no description"),
  }),
});

const decoder = new TextDecoder();

/** How long JetStream may take to answer, ms. A cluster without a leader does not answer at all. */
const ANSWER_MS = 2_000;

/** The connection as it is; throws {@link LogError} "unreachable" when there is none. */
export function connectionOf({ link }: JetStream): NatsConnection {
  if (link.connection === undefined) {
    throw new LogError("unreachable", `NATS is out of reach: ${link.trouble}`);
  }
  return link.connection;
}

/** Asks JetStream's API; rejects with {@link ApiError}, or with the client's error when no answer came in `timeout` ms. */
export async function ask<T>(
  connection: NatsConnection,
  operation: string,
  body: unknown,
  schema: v.GenericSchema<unknown, T>,
  timeout: number = ANSWER_MS,
): Promise<T> {
  const payload = body === undefined ? "" : JSON.stringify(body);
  const reply = await connection.request(`$JS.API.${operation}`, payload, { timeout });
  return answerOf(reply.data, schema);
}

/** What an answer holds; throws {@link ApiError} when it is an error. */
export function answerOf<T>(data: Uint8Array, schema: v.GenericSchema<unknown, T>): T {
  const answer: unknown = JSON.parse(decoder.decode(data));
  if (v.is(Failure, answer)) {
    const { code, err_code: errCode, description } = v.parse(Failure, answer).error;
    throw new ApiError(code, errCode, description);
  }
  return v.parse(schema, answer);
}

/** Codes of the client's errors that say no, rather than not now. */
const REFUSALS = new Set(["PERMISSIONS_VIOLATION", "MAX_PAYLOAD_EXCEEDED", "BAD_HEADER"]);

/**
 * The {@link LogError} for `error`. Answers with 503 and silence pass: a leader is being elected, or the server is
 * starting, in which "no responders" is also what an unknown subject gets; and so does what a cluster is about to store. The
 * rest is a refusal.
 */
export function logError(error: unknown, doing: string): LogError {
  if (error instanceof LogError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new LogError(isRefusal(error) ? "refused" : "unreachable", `${doing}: ${reason(error, why)}`, {
    cause: error,
  });
}

/** Errors of JetStream that say no, whatever their status is; and those that say not now. */
const FULL: ReadonlySet<number> = new Set([API_CODES.insufficientResources, API_CODES.storeFailed]);
const PASSING: ReadonlySet<number> = new Set([
  API_CODES.streamNotFound,
  API_CODES.idInProcess,
  API_CODES.tooManyRequests,
]);

function isRefusal(error: unknown): boolean {
  if (error instanceof ApiError) {
    return FULL.has(error.errCode) || (error.status !== 503 && !PASSING.has(error.errCode));
  }
  return REFUSALS.has(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** The client says its codes where one expects words. */
function reason(error: unknown, why: string): string {
  switch (codeOf(error)) {
    case "503":
      return "nobody answers for JetStream (is it enabled, and does a stream take the subject?)";
    case "TIMEOUT":
      return "no answer in time";
    case "CONNECTION_CLOSED":
    case "DISCONNECT":
      return "the connection was lost";
    case "MAX_PAYLOAD_EXCEEDED":
      return "larger than the server takes (max_payload)";
    default:
      return why;
  }
}
