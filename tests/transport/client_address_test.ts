import { isIP } from "node:net";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseNetworks } from "../../src/settings/networks.ts";
import { countedAddress, type Trusted } from "../../src/transport/client_address.ts";

function trusting(text: string): Trusted {
  const networks = parseNetworks(text);
  assert(networks !== undefined, text);
  return networks;
}

const PROXIES = trusting("10.0.0.0/8, 2001:db8:ffff::/48");

function counted(
  remoteAddress: string | undefined,
  forwardedFor?: string,
  trusted: Trusted | undefined = PROXIES,
): string {
  return countedAddress({ remoteAddress, forwardedFor }, trusted);
}

Deno.test("without a trusted proxy it is the peer that counts, whatever it forwards", () => {
  const forged = ["1.2.3.4", "1.2.3.4, 10.0.0.1", "127.0.0.1", "::1", "unknown", "", ","];
  for (const forwardedFor of forged) {
    assertEquals(countedAddress({ remoteAddress: "10.0.0.1", forwardedFor }, undefined), "10.0.0.1");
    assertEquals(
      counted("192.0.2.1", forwardedFor),
      "192.0.2.1",
      "nor from one that is none of those trusted",
    );
  }
  assertEquals([counted("192.0.2.1"), counted(undefined), counted("")], ["192.0.2.1", "", ""]);
});

Deno.test("behind trusted proxies it is the nearest that is none of them, and what that forwarded counts for nothing", () => {
  const cases: readonly (readonly [forwardedFor: string, counted: string])[] = [
    ["192.0.2.1", "192.0.2.1"],
    ["1.2.3.4, 192.0.2.1", "192.0.2.1"],
    ["10.9.9.9, 192.0.2.1", "192.0.2.1"],
    ["192.0.2.1, 10.0.0.2", "192.0.2.1"],
    ["192.0.2.1,10.0.0.3 ,  10.0.0.2", "192.0.2.1"],
    ["192.0.2.1, 2001:db8:ffff::7", "192.0.2.1"],
    // With the port, as some proxies have it.
    ["1.2.3.4, 192.0.2.1:4711", "192.0.2.1"],
    ["192.0.2.1:4711, 10.0.0.2:80, [2001:db8:ffff::7]:80", "192.0.2.1"],
    ["[2001:db8::1]:4711", "2001:db8:0:0::/64"],
    ["[2001:db8::1]", "2001:db8:0:0::/64"],
    // All of them are ours: the farthest.
    ["10.0.0.3, 10.0.0.2", "10.0.0.3"],
  ];
  for (const [forwardedFor, address] of cases) {
    assertEquals(counted("10.0.0.1", forwardedFor), address, forwardedFor);
  }
  assertEquals(counted("::ffff:10.0.0.1", "192.0.2.1"), "192.0.2.1");
  assertEquals(counted("2001:db8:ffff::1", "192.0.2.1"), "192.0.2.1");
});

Deno.test("where a trusted proxy says nothing that can be read, it counts itself", () => {
  const unreadable = [
    undefined,
    "",
    " ",
    ",",
    "unknown",
    "_hidden",
    "192.0.2.1:port",
    "[192.0.2.1",
    "1.2.3",
    "010.1.2.3",
    "1.2.3.4 5.6.7.8",
    "\0",
  ];
  for (const forwardedFor of unreadable) {
    assertEquals(counted("10.0.0.1", forwardedFor), "10.0.0.1", forwardedFor);
  }
  assertEquals(counted("10.0.0.1", "192.0.2.1, nonsense, 10.0.0.2"), "10.0.0.2");
});

Deno.test("IPv6 counts by the /64, and an IPv4 address in it as that", () => {
  const cases: readonly (readonly [address: string, counted: string])[] = [
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:DB8:0001:0002::6", "2001:db8:1:2::/64"],
    ["2001:db8::6", "2001:db8:0:0::/64"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
    ["1::2:3:4:5:1.2.3.4", "1:0:2:3::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:c000:0201", "192.0.2.1"],
  ];
  for (const [address, name] of cases) {
    assertEquals(counted(address), name);
    assertEquals(counted("10.0.0.1", address), name);
  }
});

Deno.test("however an address is spelled, it counts under one name, which others of its network share", () => {
  const group = fc.oneof(fc.constant(0), fc.constant(0xffff), fc.nat(0xffff));
  const groups = fc.array(group, { minLength: 8, maxLength: 8 });
  const spelling = fc.record({
    pad: fc.boolean(),
    upper: fc.boolean(),
    dotted: fc.boolean(),
    shortAt: fc.nat(7),
  });
  fc.assert(fc.property(groups, spelling, spelling, groups, (address, one, other, more) => {
    const [a, b] = [spelled(address, one), spelled(address, other)];
    assertEquals([isIP(a), isIP(b)], [6, 6]);
    assertEquals(counted(a), counted(b));
    const neighbour = spelled([...address.slice(0, 4), ...more.slice(4)], one);
    if (!counted(a).includes(".") && !counted(neighbour).includes(".")) {
      assertEquals(counted(neighbour), counted(a));
    }
    const stranger = spelled([...more.slice(0, 4), ...address.slice(4)], one);
    const isSame = more.slice(0, 4).every((value, i) => value === address[i]);
    assertEquals(counted(stranger) === counted(a), isSame);
  }));
});

/** An address as text: with leading zeros, in capitals, with its end as IPv4, with the zeros from some group on left out. */
function spelled(
  groups: readonly number[],
  { pad, upper, dotted, shortAt }: { pad: boolean; upper: boolean; dotted: boolean; shortAt: number },
): string {
  const texts = groups.map((group) => group.toString(16).padStart(pad ? 4 : 1, "0"));
  const [high = 0, low = 0] = groups.slice(6);
  const end = dotted ? [`${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`] : texts.slice(6);
  const parts = [...texts.slice(0, 6), ...end];
  let until = shortAt;
  while (until < 6 && groups[until] === 0) until++;
  const text = until > shortAt
    ? `${parts.slice(0, shortAt).join(":")}::${parts.slice(until).join(":")}`
    : parts.join(":");
  return upper ? text.toUpperCase() : text;
}

Deno.test("whatever is forwarded, it has no name but of an address, and none that the sender chose beyond its own proxy", () => {
  const text = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.constantFrom("10.0.0.9", ""));
  fc.assert(fc.property(fc.array(text, { maxLength: 5 }), (hops) => {
    const name = counted("10.0.0.1", [...hops, "192.0.2.7"].join(","));
    assertEquals(name, "192.0.2.7", "what is before the first that is not trusted");
    const free = counted("10.0.0.1", hops.join(","));
    assert(isIP(free) === 4 || isIP(free.replace(/\/64$/, "")) === 6, free);
    assertEquals(counted("192.0.2.8", hops.join(",")), "192.0.2.8");
  }));
});
