const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Members of progress that are not known, as JSON writes them. In a text within it the quotes would be escaped. */
const UNKNOWN = /"(total|percentage|current|status)":null/g;

/** By the bytes of a frame, the same in the seed's types: made once, whoever watches. */
const known = new WeakMap<Uint8Array, Uint8Array>();

/**
 * A `task_progress` frame's JSON for who knows the seed alone, to whom its counters are numbers and its words texts: what is
 * not known is 0, or nothing.
 */
export function inSeedTypes(bytes: Uint8Array): Uint8Array {
  const before = known.get(bytes);
  if (before !== undefined) return before;
  const text = decoder.decode(bytes);
  const said = text.replaceAll(
    UNKNOWN,
    (_all, name) => `"${name}":${name === "total" || name === "percentage" ? 0 : '""'}`,
  );
  const after = said === text ? bytes : encoder.encode(said);
  known.set(bytes, after);
  return after;
}
