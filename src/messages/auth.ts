import { NOBODY } from "../access/access.ts";
import { AccessError, type Authenticator } from "../access/authenticator.ts";
import { Tickets } from "../access/tickets.ts";
import { refusedBy } from "../connection/refused_access.ts";
import type { Outcome } from "../connection/state.ts";
import { AuthData } from "../protocol/client_frames.ts";
import { defineMessage, type MessageType, refuse } from "./message_type.ts";

const ONLY_OPENS = "a ticket opens a connection, and nothing else";

/** `auth`: shows a token; the first of a connection that came without, or a fresh one before the last expires. */
export function auth(gate: Authenticator): MessageType<typeof AuthData> {
  return defineMessage({
    type: "auth",
    schema: AuthData,
    cost: 10,
    answeredBy: "authenticated",
    async handle({ token }, { access }): Promise<Outcome> {
      if (Tickets.isTicket(token) && access !== NOBODY) return refuse("UNAUTHORIZED", ONLY_OPENS);
      try {
        return { kind: "access", access: await gate.authenticate(token) };
      } catch (error) {
        if (error instanceof AccessError) return refusedBy(error);
        throw error;
      }
    },
  });
}
