import type { Authenticator } from "../access/authenticator.ts";
import { Gate } from "../access/gate.ts";
import { JwksKeys } from "../access/jwks_keys.ts";
import { JwtTokens, type KeysFor } from "../access/jwt_tokens.ts";
import { StaticTokens } from "../access/static_tokens.ts";
import type { AskIssuer } from "../access/tickets.ts";
import type { Clock } from "../router/router.ts";
import type { Auth } from "../settings/settings.ts";
import type { Logger } from "../telemetry/logger.ts";

/** What the gate of a gateway works with. */
export type GateDeps = {
  readonly clock: Pick<Clock, "now" | "elapsed">;
  readonly log: Logger;
  readonly askIssuer?: AskIssuer;
};

/** Who may come in, by the settings. */
export function openGate(auth: Auth, deps: GateDeps): Gate {
  const { clock, askIssuer } = deps;
  const now = () => clock.now();
  return new Gate(tokensOf(auth, deps), { now, ...(askIssuer === undefined ? {} : { askIssuer }) });
}

function tokensOf(auth: Auth, { clock, log }: GateDeps): Authenticator | undefined {
  switch (auth.kind) {
    case "off":
      return undefined;
    case "token":
      return new StaticTokens(auth.tokens);
    case "jwt": {
      const { algorithms, issuer, audience, skewMs } = auth;
      return new JwtTokens({
        keysFor: keysOf(auth, { clock, log }),
        algorithms,
        skewMs,
        now: () => clock.now(),
        ...(issuer === undefined ? {} : { issuer }),
        ...(audience === undefined ? {} : { audience }),
      });
    }
  }
}

function keysOf({ keys }: Extract<Auth, { kind: "jwt" }>, { clock, log }: GateDeps): KeysFor {
  if ("secret" in keys) {
    const secret = new TextEncoder().encode(keys.secret);
    return () => Promise.resolve([secret]);
  }
  const failed = (error: unknown): void =>
    log.warn("Cannot get the keys of JWTs; the last known stand", { error });
  const jwks = new JwksKeys({ url: keys.jwksUrl, now: () => clock.elapsed(), failed });
  return (header) => jwks.keysFor(header);
}
