/** NATS servers of one family: `tcp` for `nats://` and `tls://`, `websocket` for `ws://` and `wss://`. */
export type Servers = {
  readonly family: "tcp" | "websocket";
  /** Whether one of them is `tls://`: then every connection must be encrypted. */
  readonly tls: boolean;
  /** As they were given, without user and password: fit for messages. */
  readonly urls: readonly string[];
  /** The same as `nats.ws` takes them: `ws://host:port` or `wss://host:port`. */
  readonly addresses: readonly string[];
  /** The user and password, or the token, that the addresses carried. */
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
};

const FAMILIES: Readonly<Record<string, Servers["family"]>> = {
  "nats:": "tcp",
  "tls:": "tcp",
  "ws:": "websocket",
  "wss:": "websocket",
};

/**
 * Understands `nats://a:4222,nats://b:4222`. A part without a scheme takes that of the part before it; a user and
 * password in a part serve for all. Throws a TypeError that names the part and the rule, never a password.
 */
export function parseServers(text: string): Servers {
  const urls: string[] = [];
  const addresses: string[] = [];
  const families = new Set<Servers["family"]>();
  let scheme = "nats://";
  let userInfo: Pick<Servers, "user" | "password" | "token"> = {};
  for (const part of text.split(",").map((part) => part.trim()).filter((part) => part !== "")) {
    scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(part)?.[0].toLowerCase() ?? scheme;
    const url = parsed(part.includes("://") ? part : scheme + part);
    const family = FAMILIES[url.protocol];
    if (family === undefined) throw new TypeError(`Cannot use ${shown(url)}: ${RULE}`);
    families.add(family);
    if (url.username !== "") userInfo = userInfoOf(url);
    urls.push(shown(url));
    addresses.push(family === "tcp" ? `ws://${url.hostname}:${url.port || 4222}` : shown(url));
  }
  const [family, other] = families;
  if (family === undefined) throw new TypeError(`Cannot use an empty address: ${RULE}`);
  if (other !== undefined) {
    throw new TypeError(`Cannot mix ${urls.join(", ")}: nats:// and tls:// go together, ws:// and wss:// do`);
  }
  return { family, tls: urls.some((url) => url.startsWith("tls:")), urls, addresses, ...userInfo };
}

const RULE = "a NATS address is nats://, tls://, ws:// or wss:// and a host";

function parsed(part: string): URL {
  try {
    const url = new URL(part);
    if (url.hostname !== "") return url;
  } catch {
    // Told below, without what the part holds: it may be a password.
  }
  throw new TypeError(`Cannot read an address of NATS: ${RULE}`);
}

function userInfoOf({ username, password }: URL): Pick<Servers, "user" | "password" | "token"> {
  const user = decodeURIComponent(username);
  return password === "" ? { token: user } : { user, password: decodeURIComponent(password) };
}

/** The address without user and password, fit for messages. */
function shown(url: URL): string {
  const path = url.pathname === "/" ? "" : url.pathname;
  return `${url.protocol}//${url.host}${path}${url.search}`;
}
