import * as v from "valibot";
import type { RequestContext } from "../connection/connection_deps.ts";
import type { Outcome } from "../connection/state.ts";
import { brokenRule } from "../protocol/client_frames.ts";
import type { ErrorCode } from "../protocol/error_codes.ts";
import type { Refused } from "../protocol/server_frames.ts";

/**
 * A type of client message: what its `data` must look like, what it costs of the rate limit, and what answers it.
 * Handlers perform nothing on the connection; they return an {@link Outcome}.
 */
export interface MessageType<S extends Schema = Schema> {
  readonly type: string;
  readonly schema: S;
  /** Tokens taken from the connection's rate limit. */
  readonly cost: number;
  /** The type of the frame that answers it where nothing is wrong, for those who read the contract. Default: not told. */
  readonly answeredBy?: string;
  /** Answers one message; `data` has been checked. */
  handle(data: v.InferOutput<S>, context: RequestContext): Outcome | Promise<Outcome>;
}

/** A schema for the `data` of a message. */
export type Schema = v.GenericSchema<unknown, object>;

/** Keeps the type of `data` between a message type's schema and its handler. */
export function defineMessage<S extends Schema>(type: MessageType<S>): MessageType<S> {
  return type;
}

/** The `data` of a message by its schema, or what refuses it. */
export function checkedBy<S extends Schema>(
  schema: S,
  data: unknown,
): { readonly data: v.InferOutput<S> } | { readonly refusal: Outcome } {
  const parsed = v.safeParse(schema, data, { abortEarly: true });
  return parsed.success
    ? { data: parsed.output }
    : { refusal: refuse("INVALID_MESSAGE", brokenRule(parsed.issues, "data")) };
}

/** An error as the answer. */
export function refuse(
  code: ErrorCode,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): Outcome {
  return { kind: "error", error: { code, message, details } };
}

/** What was found as the answer, or why it cannot be had: the message was in order all the same. */
export function answer<T extends object>(found: T | Refused, reply: (data: T) => Outcome): Outcome {
  return "refused" in found ? { kind: "error", error: found.refused, isValid: true } : reply(found);
}
