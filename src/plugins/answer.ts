import * as v from "valibot";
import { isObject } from "../protocol/client_frames.ts";
import { ErrorBodySchema } from "../protocol/server_schemas.ts";
import type { ErrorBody } from "../protocol/server_frames.ts";
import { PluginError } from "./plugin.ts";

/** The most bytes of JSON that an answer of a plug-in may have: what a request over HTTP may have, too. */
export const MAX_ANSWER_BYTES = 1_048_576;

const encoder = new TextEncoder();
const Result = v.pipe(
  v.custom<object>(isObject, "must be a JSON object"),
  v.record(v.string(), v.unknown()),
);

/**
 * What a handler returned, as it is sent: a copy, which nobody can change any more. Throws for what is no JSON
 * object, and for one that is too large: a fault of the plug-in, which is to hurt this answer alone.
 */
export function soundResult(returned: unknown): Readonly<Record<string, unknown>> {
  return v.parse(Result, copyOf(returned));
}

/** What a plug-in refuses with, as it is sent; undefined where it refuses nothing, or not by the protocol. */
export function soundRefusal(thrown: unknown): ErrorBody | undefined {
  if (!(thrown instanceof PluginError)) return undefined;
  try {
    const { code, message, details } = thrown;
    return v.parse(ErrorBodySchema, copyOf({ code, message, details }));
  } catch {
    return undefined;
  }
}

function copyOf(value: unknown): unknown {
  const json: unknown = JSON.stringify(value);
  if (typeof json !== "string") throw new TypeError("must be JSON");
  const bytes = json.length > MAX_ANSWER_BYTES ? json.length : encoder.encode(json).length;
  if (bytes > MAX_ANSWER_BYTES) throw new RangeError(`must be at most ${MAX_ANSWER_BYTES} bytes of JSON`);
  return JSON.parse(json);
}
