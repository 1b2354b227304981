import {
  CompactSign,
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type GenerateKeyPairResult,
  type JWK,
  type JWTHeaderParameters,
} from "jose";

/** When the tests' clocks stand still, ms since the epoch. */
export const NOW_MS = 1_700_000_000_000;
/** The same as a claim tells it. */
export const NOW_S = NOW_MS / 1_000;

/** Claims of a token that is good for five minutes. */
export const GOOD: Readonly<Record<string, unknown>> = {
  sub: "user-42",
  exp: NOW_S + 300,
  rights: ["subscribe"],
  topics: ["task:tag:user-42"],
};

const encoder = new TextEncoder();

/** The secret of `HS256`. */
export const SECRET: Uint8Array = encoder.encode("a secret that is longer than 32 bytes");

/** Keys for each algorithm that has two. */
export type Pairs = Readonly<Record<"RS256" | "ES256" | "EdDSA", GenerateKeyPairResult>>;

/** New keys; their halves can be exported. */
export async function newPairs(): Promise<Pairs> {
  const make = (alg: string) => generateKeyPair(alg, { extractable: true });
  return { RS256: await make("RS256"), ES256: await make("ES256"), EdDSA: await make("EdDSA") };
}

/** A token with this header and payload: an object as JSON, text as it is. */
export async function signed(
  header: JWTHeaderParameters,
  payload: unknown,
  key: CryptoKey | Uint8Array,
): Promise<string> {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  return await new CompactSign(encoder.encode(text)).setProtectedHeader(header).sign(key);
}

/** The public half as a member of a key set. */
export async function jwkOf({ publicKey }: GenerateKeyPairResult, about: Partial<JWK> = {}): Promise<JWK> {
  return { ...await exportJWK(publicKey), ...about };
}

/** Every way to write a public key down that somebody may take for a secret. */
export async function spellingsOf(pair: GenerateKeyPairResult): Promise<Uint8Array[]> {
  const pem = await exportSPKI(pair.publicKey);
  const der = Uint8Array.fromBase64(pem.replace(/-----[^-]*-----|\s/g, ""));
  const jwk = await exportJWK(pair.publicKey);
  const texts = [pem, pem.trim(), pem.replaceAll("\n", "\r\n"), JSON.stringify(jwk), jwk.n ?? ""];
  return [...texts.map((text) => encoder.encode(text)), der];
}

/** Text as base64url. */
export function base64url(text: string): string {
  return encoder.encode(text).toBase64({ alphabet: "base64url", omitPadding: true });
}
