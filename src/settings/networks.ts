import { BlockList, isIP } from "node:net";
import { parsedBy, type Reads, type Rule } from "./rules.ts";

/** Addresses, by networks that they are in. */
export type Networks = {
  /** Whether an address is in one of them; one that is no address is in none. */
  readonly has: (address: string) => boolean;
};

const ABOUT: Rule = {
  rule: "must be addresses or networks such as 10.0.0.7 or 10.0.1.0/28, but not /0, comma-separated",
  meaning:
    "the proxies whose X-Forwarded-For is believed, and nobody else, since who connects from there may say to be anybody; unset: none",
};

/** Reads `TRUSTED_PROXIES`. */
export function networks(): Reads<Networks> {
  return parsedBy(parseNetworks, ABOUT);
}

/** The networks that `text` lists, or undefined where one is none. */
export function parseNetworks(text: string): Networks | undefined {
  const list = new BlockList();
  for (const entry of text.split(",").map((part) => part.trim())) if (!add(list, entry)) return undefined;
  return {
    has: (text) => {
      const address = text.replace(/%.*$/, ""); // by which of our interfaces it came is no part of a network
      return isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
    },
  };
}

function add(list: BlockList, entry: string): boolean {
  const [address = "", bits, ...rest] = entry.split("/");
  const version = isIP(address);
  if (version === 0 || address.includes("%") || rest.length > 0) return false;
  const family = version === 6 ? "ipv6" : "ipv4";
  if (bits === undefined) {
    list.addAddress(address, family);
    return true;
  }
  // Who is believed whoever it is, is everybody.
  if (!/^\d{1,3}$/.test(bits) || Number(bits) === 0 || Number(bits) > (version === 6 ? 128 : 32)) {
    return false;
  }
  list.addSubnet(address, Number(bits), family);
  return true;
}
