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

const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;
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
  let address = remoteAddress.replace(MAPPED, "");
  const hops = forwardedFor?.split(",").map((hop) => hop.trim().replace(MAPPED, "")) ?? [];
  while (trusted?.has(address) === true) {
    const hop = hops.pop();
    if (hop === undefined || isIP(hop) === 0) break;
    address = hop;
  }
  return isIP(address) === 6 ? `${networkOf(address)}::/64` : address;
}

/** The first 64 bits of an IPv6 address, each group without leading zeros. */
function networkOf(address: string): string {
  const [head = "", tail] = address.replace(/%.*$/, "").toLowerCase().split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = tail === undefined
    ? first
    : [...first, ...Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => "0"), ...last];
  return groups.slice(0, NETWORK_GROUPS).map((group) => group.replace(/^0+(?=.)/, "")).join(":");
}
