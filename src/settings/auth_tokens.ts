import { type Right, RIGHTS } from "../access/access.ts";
import { MAX_PATTERNS, Scope } from "../access/scope.ts";
import type { NamedToken } from "../access/static_tokens.ts";
import { parsedBy, type Reads, type Rule } from "./rules.ts";

/** A token that can be guessed is none, and what begins like a ticket is taken for one. */
export const TOKEN = /^(?!twt_)[A-Za-z0-9._~-]{16,512}$/;
/** The same in words. */
export const TOKEN_RULE = "16 or more of A-Za-z0-9._~-, not beginning with twt_";
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

const ABOUT: Rule = {
  rule:
    "must be name:token:right+right, or name:token:right+right:pattern+pattern, comma-separated: names and tokens once each, " +
    `tokens ${TOKEN_RULE} (deno task cli token makes one), rights of ${RIGHTS.join(", ")}, ` +
    "* alone or not at all, no + within a pattern",
  meaning: "the tokens of AUTH=token; without patterns such as task:tag:user-42 a token is for every topic",
  secret: true,
};

/** Reads `AUTH_TOKENS`. */
export function authTokens(): Reads<readonly NamedToken[]> {
  return parsedBy(parseAuthTokens, ABOUT);
}

/** The tokens that `text` lists, or undefined where it breaks the rule. */
export function parseAuthTokens(text: string): readonly NamedToken[] | undefined {
  const parsed = text.split(",").map((entry) => tokenOf(entry.trim()));
  if (!parsed.every((token) => token !== undefined)) return undefined;
  const isTwice = new Set(parsed.map(({ token }) => token)).size < parsed.length ||
    new Set(parsed.map(({ access }) => access.subject)).size < parsed.length;
  return isTwice ? undefined : parsed;
}

function tokenOf(entry: string): NamedToken | undefined {
  const [, subject = "", token = "", list = "", patterns] =
    /^([^:]*):([^:]*):([^:]*)(?::(.*))?$/s.exec(entry) ?? [];
  const rights = rightsOf(list);
  const scope = scopeOf(patterns?.split("+") ?? ["*"]);
  if (!NAME.test(subject) || !TOKEN.test(token) || rights === undefined || scope === undefined) {
    return undefined;
  }
  return { token, access: { subject, rights, scope } };
}

function rightsOf(list: string): ReadonlySet<Right> | undefined {
  const rights = list.split("+").map((text) => RIGHTS.find((right) => right === text));
  return rights.every((right) => right !== undefined) ? new Set(rights) : undefined;
}

function scopeOf(patterns: readonly string[]): Scope | undefined {
  try {
    // Beside others a * says nothing, unless a + that was meant for a name made two patterns of one.
    const isDoubtful = patterns.length > 1 && patterns.includes("*");
    return isDoubtful || patterns.length > MAX_PATTERNS ? undefined : Scope.of(patterns);
  } catch {
    return undefined;
  }
}
