import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

/** Addresses that are believed about whom they speak for. */
export type Trusted = { readonly has: (address: string) => boolean };

/** What of a request tells whose it is. */
export type Sender = {
  /** Who the other end of the connection is; undefined where it is gone already. */
  readonly remoteAddress: string | undefined;
  /** `X-Forwarded-For` as sent. */
  readonly forwardedFor: string | undefined;
};

/** IPv6 addresses are had by networks of so many groups: who has one has 2^64 of them. */
const NETWORK_GROUPS = 4;

/**
 * By which name the limits count a sender: the address that the nearest proxy we do not trust, or the client itself, connected
 * from. What anybody else forwards is not believed, so that nobody can be another by a header. IPv6 by the /64. Pure.
 */
export function countedAddress(
  { remoteAddress = "", forwardedFor }: Sender,
  trusted: Trusted | undefined,
): string {
  let address = remoteAddress;
  const hops = forwardedFor?.split(",").map((hop) => withoutPort(hop.trim())) ?? [];
  while (trusted?.has(address) === true) {
    const hop = hops.pop();
    if (hop === undefined || isIP(hop) === 0) break;
    address = hop;
  }
  return isIP(address) === 6 ? nameOf(groupsOf(address)) : address;
}

/** By which name the limits count whoever sent a request. */
export function addressOf(request: IncomingMessage, trusted: Trusted | undefined): string {
  const forwarded = request.headers["x-forwarded-for"];
  const forwardedFor = Array.isArray(forwarded) ? forwarded.join(",") : forwarded;
  return countedAddress({ remoteAddress: request.socket.remoteAddress, forwardedFor }, trusted);
}

/** Some proxies write the port as well: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d{1,5})?$/.exec(hop) ?? [];
  return bracketed ?? plain ?? hop;
}

/** The network of an IPv6 address; where that stands for an IPv4 address (RFC 4291, 2.5.5.2), that. */
function nameOf(groups: readonly number[]): string {
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (isMapped) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
  return `${groups.slice(0, NETWORK_GROUPS).map((group) => group.toString(16)).join(":")}::/64`;
}

/** The eight groups of an IPv6 address, however it is spelled. */
function groupsOf(address: string): number[] {
  const [first = [], last = []] = address.replace(/%.*$/, "").split("::").map(groupsIn);
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => 0);
  return [...first, ...zeros, ...last];
}

function groupsIn(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a << 8 | b, c << 8 | d];
  });
}
