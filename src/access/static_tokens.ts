import { createHash } from "node:crypto";
import type { Access } from "./access.ts";
import { AccessError, type Authenticator } from "./authenticator.ts";

/** A token of the settings, and what it stands for. */
export type NamedToken = { readonly token: string; readonly access: Access };

/**
 * Tokens that are known beforehand. They are looked up by their hashes, so that the time it takes tells nothing of how much
 * of a guess is right.
 */
export class StaticTokens implements Authenticator {
  readonly #byHash: ReadonlyMap<string, Access>;

  constructor(tokens: readonly NamedToken[]) {
    this.#byHash = new Map(tokens.map(({ token, access }) => [hashOf(token), access]));
  }

  /** See {@link Authenticator}. */
  authenticate(token: string): Promise<Access> {
    const access = this.#byHash.get(hashOf(token));
    return access === undefined
      ? Promise.reject(new AccessError("invalid", "the token is not valid"))
      : Promise.resolve(access);
  }
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
