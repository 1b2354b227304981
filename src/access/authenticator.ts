import type { Access } from "./access.ts";

/**
 * Why a token opens nothing: it is no good, it was and has ended, or whoever could tell is out of reach. The message is for
 * who sent it, and tells nothing of the token or of who made it.
 */
export class AccessError extends Error {
  override readonly name = "AccessError";
  readonly code: "invalid" | "expired" | "unavailable";

  constructor(code: AccessError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Who knows what tokens stand for. */
export interface Authenticator {
  /** What a token stands for. Rejects with an {@link AccessError}. */
  authenticate(token: string): Promise<Access>;
}

/** The longest token, in characters: it has to fit into a header. */
export const MAX_TOKEN_CHARS = 8_192;
