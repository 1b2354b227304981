import * as v from "valibot";
import { JWT_ALGORITHMS, type JwtAlgorithm } from "../access/jwt_tokens.ts";
import { isLoopback } from "./loopback.ts";
import { parsedBy, type Reads, type Rule } from "./rules.ts";

const ABOUT_URL: Rule = {
  rule:
    "must be an https:// URL without user or password; http:// on this machine only, since keys decide who comes in",
  meaning: "where the public keys of AUTH=jwt are (a JSON Web Key Set)",
};

/** Reads `JWKS_URL`. */
export function jwksUrl(): Reads<string> {
  return v.pipe(v.string(), v.check(isJwksUrl), v.metadata(ABOUT_URL));
}

function isJwksUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && isLoopback(hostname.replace(/^\[|\]$/g, "")));
}

const ABOUT_ALGORITHMS: Rule = {
  rule: `must be some of ${JWT_ALGORITHMS.join(", ")}, comma-separated`,
  meaning: "how JWTs may be signed; unset: HS256 with JWT_SECRET, the others with JWKS_URL",
};

/** Reads `JWT_ALGORITHMS`. */
export function jwtAlgorithms(): Reads<readonly JwtAlgorithm[]> {
  return parsedBy(parseAlgorithms, ABOUT_ALGORITHMS);
}

function parseAlgorithms(text: string): readonly JwtAlgorithm[] | undefined {
  const parsed = text.split(",").map((part) => JWT_ALGORITHMS.find((name) => name === part.trim()));
  return parsed.every((name) => name !== undefined) ? parsed : undefined;
}
