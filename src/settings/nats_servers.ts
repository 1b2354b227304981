import { parsedBy, type Reads, type Rule } from "./rules.ts";

/** Where NATS is: over `tcp` (`nats://`, `tls://`) or `ws` (`ws://`, `wss://`). */
export type NatsServers = {
  readonly transport: "tcp" | "ws";
  readonly servers: readonly string[];
  /** One of the URLs asks for TLS, so no connection may go without. */
  readonly tls: boolean;
};

const TRANSPORTS: ReadonlyMap<string, NatsServers["transport"]> = new Map([
  ["nats:", "tcp"],
  ["tls:", "tcp"],
  ["ws:", "ws"],
  ["wss:", "ws"],
]);

const ABOUT: Rule = {
  rule:
    "must be nats:// or tls:// URLs, or ws:// or wss:// URLs, comma-separated, without user or password " +
    "(they are NATS_USER and NATS_PASSWORD)",
  meaning: "the NATS servers; unset: the embedded log in DATA_DIR",
};

/** Reads `NATS_URL`. */
export function natsServers(): Reads<NatsServers> {
  return parsedBy(parseNatsServers, ABOUT);
}

/** The servers that `text` lists, or undefined where it breaks the rule. */
export function parseNatsServers(text: string): NatsServers | undefined {
  const servers = text.split(",").map((part) => part.trim());
  const [transport, ...others] = new Set(servers.map(transportOf));
  if (transport === undefined || others.length > 0) return undefined;
  return { transport, servers, tls: servers.some((server) => /^(tls|wss):/i.test(server)) };
}

/** A password in a URL would not reach the server and could reach a log, so that a URL with one is none. */
function transportOf(server: string): NatsServers["transport"] | undefined {
  if (!URL.canParse(server) || !server.includes("://")) return undefined;
  const { protocol, hostname, username, password } = new URL(server);
  return hostname === "" || username !== "" || password !== "" ? undefined : TRANSPORTS.get(protocol);
}

/** `text` without what stands before its last `@`, since that may be a password. */
export function withoutPassword(text: string): string {
  return text.replace(/^.*@/s, "…@");
}
