import { readFileSync } from "node:fs";
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "nats.ws";
import type { Servers } from "./servers.ts";

/** Who we are to NATS: nothing, or one of a user with a password, a token, an NKey seed, or a creds text. */
export type Credentials = {
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** An NKey seed (`SU…`). */
  readonly nkeySeed?: string;
  /** A file with an NKey seed, read again at every connect. */
  readonly nkeySeedFile?: string;
  /** The text of a creds file: a JWT and its seed. */
  readonly creds?: string;
  /** A creds file, read again at every connect, so that a renewed JWT is taken up. */
  readonly credsFile?: string;
};

/** One way to say who we are, as settings name it; a file is one of its kind. */
export type Login =
  | { readonly kind: "none" }
  | { readonly kind: "user"; readonly user: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "creds"; readonly file: string }
  | { readonly kind: "nkey"; readonly file: string };

/** The credentials of a login. Pure: no file is read. */
export function credentialsOf(login: Login): Credentials {
  switch (login.kind) {
    case "none":
      return {};
    case "user":
      return { user: login.user, password: login.password };
    case "token":
      return { token: login.token };
    case "creds":
      return { credsFile: login.file };
    case "nkey":
      return { nkeySeedFile: login.file };
  }
}

/**
 * How a connection proves who it is: what `credentials` say, else what the addresses carry; undefined for nobody.
 * Throws a TypeError when it is told more than one way, and the cause when a file or a seed cannot be read.
 */
export function authenticatorOf(
  credentials: Credentials,
  servers: Servers,
): Authenticator | undefined {
  const given = (["user", "token", "nkeySeed", "nkeySeedFile", "creds", "credsFile"] as const)
    .filter((kind) => credentials[kind] !== undefined);
  if (given.length > 1) {
    throw new TypeError(`Cannot use ${given.join(" and ")} together: one of them is enough`);
  }
  const authenticator = chosen(given.length === 0 ? servers : credentials);
  if (authenticator === undefined) return undefined;
  try {
    authenticator(TRIAL_NONCE);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(
      `Cannot use ${given.join()}: ${why === "BAD_CREDS" ? "no JWT and seed in it" : why}`,
      { cause },
    );
  }
  return (nonce) => {
    try {
      return authenticator(nonce);
    } catch {
      // A file half-written. As nobody we are refused and try again; the client would hang on what is thrown here.
      return undefined;
    }
  };
}

/** Signed once at the start, so that a seed or creds text that is none is told outright. */
const TRIAL_NONCE = "trial";

function chosen(credentials: Credentials): Authenticator | undefined {
  const { user, password, token, nkeySeed, nkeySeedFile, creds, credsFile } = credentials;
  if (user !== undefined) return usernamePasswordAuthenticator(user, password);
  if (token !== undefined) return tokenAuthenticator(token);
  if (nkeySeed !== undefined) return nkeyAuthenticator(() => bytesOf(nkeySeed.trim()));
  if (nkeySeedFile !== undefined) return nkeyAuthenticator(() => bytesOf(textOf(nkeySeedFile).trim()));
  if (creds !== undefined) return credsAuthenticator(() => bytesOf(creds));
  if (credsFile !== undefined) return credsAuthenticator(() => bytesOf(textOf(credsFile)));
  return undefined;
}

function textOf(file: string): string {
  return readFileSync(file, "utf8");
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
