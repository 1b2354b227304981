import type { IncomingMessage } from "node:http";
import { WINDOW_BITS } from "./deflated.ts";

/** No message depends on another, in either direction: what we send is shared, and nothing is kept of what we were sent. */
export const COMPRESSION = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: WINDOW_BITS,
};

/** Leaves of the extensions that a client offers those alone that can be accepted. */
export function declineOthers({ headers }: IncomingMessage): void {
  const extensions = acceptable(headers["sec-websocket-extensions"], WINDOW_BITS);
  if (extensions === undefined) delete headers["sec-websocket-extensions"];
  else headers["sec-websocket-extensions"] = extensions;
}

/** How a window is asked for, in bits. */
const BITS = '="?([89]|1[0-5])"?';
const PARAMETERS = [
  /^server_no_context_takeover$/,
  /^client_no_context_takeover$/,
  new RegExp(`^client_max_window_bits(?:${BITS})?$`),
  new RegExp(`^server_max_window_bits${BITS}$`),
];

/**
 * Of what a client offers as `Sec-WebSocket-Extensions` those offers of compression that can be accepted where messages are
 * deflated with a window of so many bits; undefined where there is none. `ws` refuses the connection for what it cannot accept, where
 * RFC 7692 (§7.1) has it declined. Pure.
 */
function acceptable(offered: string | undefined, windowBits: number): string | undefined {
  const offers = (offered ?? "").split(",").map((offer) => offer.trim()).filter((offer) => {
    const [name, ...parameters] = offer.split(";").map((part) => part.trim());
    return name === "permessage-deflate" && isUnderstood(parameters) &&
      parameters.every((parameter) =>
        parameter.startsWith("server_max") ? bitsOf(parameter) >= windowBits : true
      );
  });
  return offers.length === 0 ? undefined : offers.join(", ");
}

/** Each is one that is known, and there once. */
function isUnderstood(parameters: readonly string[]): boolean {
  const known = parameters.map((parameter) => PARAMETERS.findIndex((shape) => shape.test(parameter)));
  return !known.includes(-1) && new Set(known).size === known.length;
}

function bitsOf(parameter: string): number {
  return Number(/\d+/.exec(parameter)?.[0]);
}
