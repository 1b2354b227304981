import { AccessError, type Authenticator } from "../access/authenticator.ts";
import { refusedBy } from "../connection/refused_access.ts";
import type { Outcome } from "../connection/state.ts";
import { AuthData } from "../protocol/client_frames.ts";
import { defineMessage, type MessageType } from "./message_type.ts";

/** `auth`: shows a token; the first of a connection that came without, or a fresh one before the last expires. */
export function auth(gate: Authenticator): MessageType<typeof AuthData> {
  return defineMessage({
    type: "auth",
    schema: AuthData,
    cost: 10,
    async handle({ token }): Promise<Outcome> {
      try {
        return { kind: "access", access: await gate.authenticate(token) };
      } catch (error) {
        if (error instanceof AccessError) return refusedBy(error);
        throw error;
      }
    },
  });
}
