import * as v from "valibot";
import { brokenRule } from "../protocol/client_frames.ts";
import { invalid, type Problem } from "./problem.ts";

/** A value read from a request, or why it cannot be. */
export type Read<T> = { readonly value: T } | { readonly problem: Problem };

type Members = v.ObjectSchema<v.ObjectEntries, undefined>;

/**
 * Reads query parameters with the schema of the socket's message that asks the same; `path` are the members that
 * the path gives, `numbers` those that are no text. Other parameters are ignored.
 */
export function readQuery<S extends Members>(
  schema: S,
  url: string,
  { path = {}, numbers = [] }: { path?: Readonly<Record<string, string>>; numbers?: readonly string[] } = {},
): Read<v.InferOutput<S>> {
  const params = new URL(url).searchParams;
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(schema.entries)) {
    const [text, ...more] = params.getAll(name);
    if (more.length > 0) return { problem: invalid(`${name}: must be given once`) };
    if (text === undefined) continue;
    given[name] = /^\d{1,16}$/.test(text) && numbers.includes(name) ? Number(text) : text;
  }
  const parsed = v.safeParse(schema, { ...given, ...path }, { abortEarly: true });
  return parsed.success ? { value: parsed.output } : { problem: invalid(brokenRule(parsed.issues)) };
}
