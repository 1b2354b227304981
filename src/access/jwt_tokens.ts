import {
  type CryptoKey,
  errors,
  type JWTHeaderParameters,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyOptions,
  type JWTVerifyResult,
} from "jose";
import * as v from "valibot";
import { type Access, RIGHTS } from "./access.ts";
import { AccessError, type Authenticator } from "./authenticator.ts";
import { MAX_PATTERNS, Scope, TopicPattern } from "./scope.ts";

/** Algorithms that may be allowed. `none` is no algorithm, and a public key is never taken for a shared secret. */
export const JWT_ALGORITHMS = ["HS256", "RS256", "ES256", "EdDSA"] as const;

/** One of {@link JWT_ALGORITHMS}. */
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];

/** The keys by one of which a token of this header is signed. Rejects with an {@link AccessError} where they cannot be had. */
export type KeysFor = (header: JWTHeaderParameters) => Promise<readonly (CryptoKey | Uint8Array)[]>;

/** How tokens are judged. */
export type JwtOptions = {
  readonly keysFor: KeysFor;
  readonly algorithms: readonly JwtAlgorithm[];
  /** Asked of `iss` and `aud` where they are given. */
  readonly issuer?: string;
  readonly audience?: string;
  /** By so much the clocks of who makes tokens and who judges them may differ, in ms. */
  readonly skewMs: number;
  readonly now: () => number;
};

/** The latest time that there is (ECMA-262, time values), in s since the epoch. */
const LATEST_S = 8_640_000_000_000;

/** RFC 7515, 7.1: parts in base64url, without white space and padding, so that each token has one spelling. */
const SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** The claims that we read. What is not claimed is not given. */
const Claims = v.object({
  sub: v.pipe(
    v.string("must be a string"),
    v.regex(/^[^\p{C}]{1,256}$/u, "must be 1–256 printable characters"),
  ),
  exp: v.pipe(
    v.number("must be a time in s since the epoch"),
    v.maxValue(LATEST_S, "must be a time in s since the epoch"),
  ),
  rights: v.optional(
    v.array(v.picklist(RIGHTS, `must be some of ${RIGHTS.join(", ")}`), "must be a list"),
    [],
  ),
  topics: v.optional(
    v.pipe(
      v.array(TopicPattern, "must be a list"),
      v.maxLength(MAX_PATTERNS, `must be ${MAX_PATTERNS} patterns at most`),
    ),
    [],
  ),
});

/** JSON Web Tokens (RFC 7519): claims `sub`, `exp`, `rights` and `topics`. */
export class JwtTokens implements Authenticator {
  readonly #options: JwtOptions;

  constructor(options: JwtOptions) {
    this.#options = options;
  }

  /** See {@link Authenticator}. */
  async authenticate(token: string): Promise<Access> {
    if (!SHAPE.test(token)) throw new AccessError("invalid", "the token is not valid");
    const { keysFor, algorithms, issuer, audience, skewMs, now } = this.#options;
    const rules: JWTVerifyOptions = {
      algorithms: [...algorithms],
      clockTolerance: skewMs / 1000,
      currentDate: new Date(now()),
      requiredClaims: ["exp", "sub"],
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience }),
    };
    const verified = await verify(token, keysFor, rules).catch((error: unknown) => {
      throw judgementOf(error);
    });
    return accessOf(verified.payload, skewMs);
  }
}

/** Tries one key after the other, as long as it is the signature that is wrong, or the key is of no use (a TypeError). */
async function verify(token: string, keysFor: KeysFor, rules: JWTVerifyOptions): Promise<JWTVerifyResult> {
  let left: readonly (CryptoKey | Uint8Array)[] = [];
  const first = async (header: JWTHeaderParameters): Promise<CryptoKey | Uint8Array> => {
    const [key, ...others] = await keysFor(header);
    if (key === undefined) throw new errors.JWKSNoMatchingKey();
    left = others;
    return key;
  };
  let failed: unknown;
  try {
    return await jwtVerify(token, first, rules);
  } catch (error) {
    failed = error;
  }
  for (const key of left) {
    if (!(failed instanceof errors.JWSSignatureVerificationFailed || failed instanceof TypeError)) break;
    try {
      return await jwtVerify(token, key, rules);
    } catch (error) {
      failed = error;
    }
  }
  throw failed;
}

function accessOf(payload: JWTPayload, skewMs: number): Access {
  const claims = v.safeParse(Claims, payload, { abortEarly: true });
  if (!claims.success) {
    const [issue] = claims.issues;
    throw new AccessError("invalid", `the token's claim ${v.getDotPath(issue) ?? ""} ${issue.message}`);
  }
  const { sub, exp, rights, topics } = claims.output;
  const expiresAtMs = Math.floor(exp * 1000) + skewMs;
  return { subject: sub, rights: new Set(rights), scope: Scope.of(topics), expiresAtMs };
}

function judgementOf(error: unknown): unknown {
  if (error instanceof AccessError) return error;
  if (error instanceof errors.JWTExpired) {
    return new AccessError("expired", "the token has expired", { cause: error });
  }
  // What is wrong with it in particular helps nobody but who forges one; the cause is for the log.
  return error instanceof errors.JOSEError || error instanceof TypeError
    ? new AccessError("invalid", "the token is not valid", { cause: error })
    : error;
}
