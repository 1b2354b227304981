/** What a token that is offered as a sub-protocol begins with; the rest is the token in base64url. It is never echoed. */
export const BEARER_PROTOCOL = "taskwire.bearer.";

/** Where a request may carry a token. */
export type TokenPlaces = {
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  /** `Sec-WebSocket-Protocol`, of a handshake. */
  readonly protocols?: string | undefined;
  /** Every `token` of the query, where it may be there. */
  readonly query?: readonly string[] | undefined;
};

/** The token of a request, if it carries one; or the rule that it breaks. */
export type Offered = { readonly token: string | undefined } | { readonly invalid: string };

/** Finds the token of a request. One that carries several is refused: who looks at another of them would be deceived. Pure. */
export function offeredToken({ authorization, protocols, query = [] }: TokenPlaces): Offered {
  const found: string[] = [];
  if (authorization !== undefined) {
    const [, token] = /^Bearer +([A-Za-z0-9._~+/=:-]+) *$/i.exec(authorization) ?? [];
    if (token === undefined) return { invalid: "Authorization: must be Bearer and a token" };
    found.push(token);
  }
  for (const protocol of (protocols ?? "").split(",").map((name) => name.trim())) {
    if (!protocol.startsWith(BEARER_PROTOCOL)) continue;
    const token = decoded(protocol.slice(BEARER_PROTOCOL.length));
    if (token === undefined) return { invalid: `${BEARER_PROTOCOL}…: must end in a token as base64url` };
    found.push(token);
  }
  found.push(...query.filter((token) => token !== ""));
  if (found.length > 1) return { invalid: "token: must be given once" };
  return { token: found[0] };
}

function decoded(text: string): string | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined; // white space and padding would be passed over otherwise
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet: "base64url" });
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
