import * as v from "valibot";
import { brokenRule } from "../protocol/client_frames.ts";
import { invalid, type Problem } from "./problem.ts";

/** A value read from a request, or why it cannot be. */
export type Read<T> = { readonly value: T } | { readonly problem: Problem };

type Members = v.ObjectSchema<v.ObjectEntries, undefined>;

/** How the members of a message are found in a request. */
export type QueryShape = {
  /** Those that the path gives. */
  readonly path?: Readonly<Record<string, string>>;
  /** Those that are no text where they look like a number. */
  readonly numbers?: readonly string[];
  /** Those that are objects, and what is in them: `{at: ["seq"]}` is the parameter `at_seq`. */
  readonly objects?: Readonly<Record<string, readonly string[]>>;
};

/** Reads query parameters with the schema of the socket's message that asks the same. Other parameters are ignored. */
export function readQuery<S extends Members>(
  schema: S,
  url: string,
  { path = {}, numbers = [], objects = {} }: QueryShape = {},
): Read<v.InferOutput<S>> {
  const params = new URL(url).searchParams;
  const given: Record<string, unknown> = {};
  const read = (name: string, into: Record<string, unknown>, member: string): boolean => {
    const [text, ...more] = params.getAll(name);
    if (text !== undefined) into[member] = isNumber(text) && numbers.includes(name) ? Number(text) : text;
    return more.length === 0;
  };
  for (const name of Object.keys(schema.entries)) {
    const members = objects[name];
    const inner: Record<string, unknown> = {};
    const names = members?.map((member) => `${name}_${member}`) ?? [name];
    for (const [i, one] of names.entries()) {
      const isOnce = members === undefined ? read(one, given, name) : read(one, inner, members[i] ?? "");
      if (!isOnce) return { problem: invalid(`${one}: must be given once`) };
    }
    if (Object.keys(inner).length > 0) given[name] = inner;
  }
  const parsed = v.safeParse(schema, { ...given, ...path }, { abortEarly: true });
  return parsed.success ? { value: parsed.output } : { problem: invalid(brokenRule(parsed.issues)) };
}

function isNumber(text: string): boolean {
  return /^\d{1,16}(\.\d{1,16})?$/.test(text);
}
