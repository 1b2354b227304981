import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Admission, type AdmissionLimits } from "../../src/transport/admission.ts";

/** Counts one in; returns how to count it out, or the name of the limit that it breaks. */
function admitted(admission: Admission, clientId: string, address: string): (() => void) | string {
  const outcome = admission.admit({ clientId, address, subject: "" });
  return "place" in outcome ? outcome.place.release : `${outcome.refusal.limit} ${outcome.refusal.max}`;
}

const WIDE: AdmissionLimits = {
  maxConnections: 100,
  maxPerClient: 100,
  maxPerAddress: 100,
  maxPerSubject: 100,
};

Deno.test("each limit refuses what is one too many, and there is room again after one has gone", () => {
  const cases: readonly [Partial<AdmissionLimits>, string, readonly [string, string]][] = [
    [{ maxConnections: 2 }, "MAX_CONNECTIONS 2", ["c3", "a3"]],
    [{ maxPerClient: 2 }, "MAX_CONNECTIONS_PER_CLIENT 2", ["c1", "a3"]],
    [{ maxPerAddress: 2 }, "MAX_CONNECTIONS_PER_ADDRESS 2", ["c3", "a1"]],
  ];
  for (const [limits, refusal, [clientId, address]] of cases) {
    const admission = new Admission({ ...WIDE, ...limits });
    const first = admitted(admission, "c1", "a1");
    admitted(admission, "c1", "a1");
    assertEquals(admitted(admission, clientId, address), refusal);
    assert(typeof first === "function");
    first();
    assert(typeof admitted(admission, clientId, address) === "function");
    assertEquals(admitted(admission, clientId, address), refusal);
  }
});

Deno.test("others are admitted while one client or address is at its limit", () => {
  const admission = new Admission({ ...WIDE, maxPerClient: 1, maxPerAddress: 2 });
  admitted(admission, "c1", "a1");
  assertEquals(admitted(admission, "c1", "a2"), "MAX_CONNECTIONS_PER_CLIENT 1");
  assert(typeof admitted(admission, "c2", "a1") === "function");
  assertEquals(admitted(admission, "c3", "a1"), "MAX_CONNECTIONS_PER_ADDRESS 2");
  assert(typeof admitted(admission, "c3", "a2") === "function");
});

Deno.test("who is counted out twice makes room once", () => {
  const admission = new Admission({ ...WIDE, maxConnections: 2 });
  const release = admitted(admission, "c1", "a1");
  admitted(admission, "c2", "a2");
  assert(typeof release === "function");
  release();
  release();
  assert(typeof admitted(admission, "c3", "a3") === "function");
  assertEquals(admitted(admission, "c4", "a4"), "MAX_CONNECTIONS 2");
});

Deno.test("whatever comes and goes, as many are admitted as the limits leave room for", () => {
  const limits: AdmissionLimits = { ...WIDE, maxConnections: 6, maxPerClient: 2, maxPerAddress: 3 };
  const moves = fc.array(
    fc.oneof(
      fc.record({
        clientId: fc.constantFrom("c1", "c2", "__proto__"),
        address: fc.constantFrom("", "a1", "a2"),
      }),
      fc.nat(8),
    ),
    { maxLength: 60 },
  );
  fc.assert(fc.property(moves, (all) => {
    const admission = new Admission(limits);
    const present: { readonly clientId: string; readonly address: string; readonly release: () => void }[] =
      [];
    for (const move of all) {
      if (typeof move === "number") {
        present.splice(move, 1)[0]?.release();
        continue;
      }
      const { clientId, address } = move;
      const room = present.length < limits.maxConnections &&
        present.filter((one) => one.clientId === clientId).length < limits.maxPerClient &&
        present.filter((one) => one.address === address).length < limits.maxPerAddress;
      const release = admitted(admission, clientId, address);
      assertEquals(typeof release === "function", room);
      if (typeof release === "function") present.push({ clientId, address, release });
    }
  }));
});
