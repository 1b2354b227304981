import { parsedBy, type Reads, type Rule } from "./rules.ts";

/** Where browsers may connect from: these origins, or `*` for anywhere. */
export type Origins = readonly string[] | "*";

const ABOUT: Rule = {
  rule: "must be origins such as https://app.example.org, comma-separated, or *",
  meaning: "where browsers may connect from; unset: the same host",
};

/** Reads `ALLOWED_ORIGINS`. */
export function origins(): Reads<Origins> {
  return parsedBy(parseOrigins, ABOUT);
}

/** The origins that `text` lists, as browsers spell them; undefined where one is none. */
export function parseOrigins(text: string): Origins | undefined {
  if (text === "*") return text;
  const parsed = text.split(",").map((part) => originOf(part.trim()));
  return parsed.every((origin) => origin !== undefined) ? parsed : undefined;
}

function originOf(text: string): string | undefined {
  // No browser comes from a name with a * in it: it would be a pattern that never fits.
  if (!/^https?:\/\/[^/?#@*]+\/?$/i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).origin;
}
