import * as v from "valibot";

/** What a setting may hold, in words. The value of a `secret` one is never shown. */
export type Rule = { readonly rule: string; readonly meaning: string; readonly secret?: true };

/** How the text of a setting becomes its value. It carries its {@link Rule} as metadata. */
export type Reads<T> = v.GenericSchema<string, T>;

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number, meaning: string): Reads<number> {
  const about: Rule = { rule: `must be a whole number from ${min} to ${max}`, meaning };
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,15}$/),
    v.transform(Number),
    v.minValue(min),
    v.maxValue(max),
    v.metadata(about),
  );
}

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** Milliseconds of a duration such as `7d`, `12h`, `30m`, `45s` or `500ms`; NaN where `text` is none. */
export function durationMs(text: string): number {
  const [, count, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  return Number(count) * (UNIT_MS.get(unit ?? "") ?? NaN);
}

/** A duration from `min` to `max`, in ms. */
export function duration(min: string, max: string, meaning: string): Reads<number> {
  const rule = `must be a duration such as 7d, 12h, 30m, 45s or 500ms, from ${min} to ${max}`;
  const about: Rule = { rule, meaning };
  return v.pipe(
    v.string(),
    v.transform(durationMs),
    v.number(),
    v.minValue(durationMs(min)),
    v.maxValue(durationMs(max)),
    v.metadata(about),
  );
}

/** Text of one shape. */
export function text(shape: RegExp, about: Rule): Reads<string> {
  return v.pipe(v.string(), v.regex(shape), v.metadata(about));
}

/** Any one line of text, never shown. */
export function secret(meaning: string): Reads<string> {
  return text(/^[^\0\r\n]{1,65536}$/, { rule: "must be one line of text", meaning, secret: true });
}

/** Several files or URLs, comma-separated. */
export function paths(meaning: string): Reads<readonly string[]> {
  const about: Rule = { rule: "must be paths or URLs, comma-separated", meaning };
  const one = v.pipe(v.string(), v.regex(/^[^\0\r\n,]{1,4096}$/));
  return v.pipe(
    v.string(),
    v.transform((text) => text.split(",").map((part) => part.trim()).filter((part) => part !== "")),
    v.array(one),
    v.metadata(about),
  );
}

/** A file or folder of this machine. */
export function path(meaning: string): Reads<string> {
  return text(/^[^\0\r\n]{1,4096}$/, { rule: "must be a path", meaning });
}

/** What `parse` makes of a text; the rule is broken where that is undefined. */
export function parsedBy<T>(parse: (text: string) => T | undefined, about: Rule): Reads<T> {
  return v.pipe(
    v.string(),
    v.transform(parse),
    v.custom<T>((parsed) => parsed !== undefined),
    v.metadata(about),
  );
}

/** One of a few words. */
export function oneOf<const W extends string>(words: readonly W[], meaning: string): Reads<W> {
  const about: Rule = { rule: `must be one of ${words.join(", ")}`, meaning };
  return v.pipe(v.string(), v.picklist(words), v.metadata(about));
}
