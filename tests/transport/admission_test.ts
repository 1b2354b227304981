import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Admission, type AdmissionLimits, type Place } from "../../src/transport/admission.ts";

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

Deno.test("a subject has so many connections, wherever they come from and whatever they call themselves", () => {
  const admission = new Admission({ ...WIDE, maxPerSubject: 2 });
  const first = admission.admit({ clientId: "c1", address: "a1", subject: "alice" });
  assert("place" in first);
  assert("place" in admission.admit({ clientId: "c2", address: "a2", subject: "alice" }));
  const third = { clientId: "c3", address: "a3", subject: "alice" };
  const refusal = { limit: "MAX_CONNECTIONS_PER_SUBJECT", max: 2 } as const;
  assertEquals(admission.admit(third), { refusal });
  assert("place" in admission.admit({ ...third, subject: "bob" }));
  first.place.release();
  assert("place" in admission.admit(third));
});

Deno.test("where nobody is asked for a token there is no limit on subjects", () => {
  const admission = new Admission({ ...WIDE, maxPerSubject: 1 });
  for (let i = 0; i < 50; i++) assert(typeof admitted(admission, `c${i}`, `a${i}`) === "function");
});

Deno.test("nobody uses up the places of another by its client_id, nor by a name that resembles another's", () => {
  const admission = new Admission({ ...WIDE, maxPerClient: 1 });
  // A client_id has no space in it; a subject may.
  for (const subject of ["", "?", "alice", "alice c1", " ", "? c1", "bob"]) {
    assert("place" in admission.admit({ clientId: "c1", address: "a1", subject }), subject);
    assertEquals(admission.admit({ clientId: "c1", address: "a2", subject }), {
      refusal: { limit: "MAX_CONNECTIONS_PER_CLIENT", max: 1 },
    });
  }
  // Whose it is, is not known before a token was shown: who shows none uses up nobody's.
  for (let i = 0; i < 5; i++) assert("place" in admission.admit({ clientId: "c9", address: "a1" }));
  assert("place" in admission.admit({ clientId: "c9", address: "a1", subject: "alice" }));
});

Deno.test("a connection that shows its token late is counted by it from then on", () => {
  const admission = new Admission({ ...WIDE, maxPerClient: 1, maxPerSubject: 2 });
  const admit = (clientId: string, subject?: string) => {
    const outcome = admission.admit({ clientId, address: "a1", subject });
    assert("place" in outcome, `${clientId} ${subject}`);
    return outcome.place;
  };
  const unknown = admit("c1");
  assertEquals(unknown.known("alice"), undefined);
  const another = admit("c1");
  assertEquals(another.known("alice"), { limit: "MAX_CONNECTIONS_PER_CLIENT", max: 1 });
  assertEquals(another.known("bob"), undefined, "the refusal left all as it was");
  const second = admit("c2", "alice");
  assertEquals(admit("c3").known("alice"), { limit: "MAX_CONNECTIONS_PER_SUBJECT", max: 2 });
  assertEquals(unknown.known("alice"), undefined, "it has its place already");
  second.release();
  assertEquals(second.known("bob"), undefined);
  admit("c4", "alice");
  assertEquals(admit("c5").known("alice"), { limit: "MAX_CONNECTIONS_PER_SUBJECT", max: 2 });
});

type Here = {
  readonly clientId: string;
  readonly address: string;
  subject: string | undefined;
  readonly place: Place;
};

Deno.test("whatever comes, shows its token and goes, as many are admitted as the limits leave room for", () => {
  const limits: AdmissionLimits = { maxConnections: 6, maxPerClient: 2, maxPerAddress: 3, maxPerSubject: 3 };
  const subject = fc.constantFrom(undefined, "", "alice", "bob", "?", "__proto__");
  const moves = fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant("admit" as const),
        clientId: fc.constantFrom("c1", "c2", "__proto__"),
        address: fc.constantFrom("", "a1", "a2"),
        subject,
      }),
      fc.record({ kind: fc.constant("release" as const), index: fc.nat(8) }),
      fc.record({
        kind: fc.constant("known" as const),
        index: fc.nat(8),
        subject: fc.constantFrom("alice", "bob", "?"),
      }),
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(moves, (all) => {
      const admission = new Admission(limits);
      const present: Here[] = [];
      const hasRoom = (others: readonly Here[], clientId: string, subject: string | undefined): boolean =>
        subject === undefined ||
        others.filter((one) => one.clientId === clientId && one.subject === subject).length <
              limits.maxPerClient &&
          (subject === "" || others.filter((one) => one.subject === subject).length < limits.maxPerSubject);
      for (const move of all) {
        if (move.kind === "release") {
          present.splice(move.index, 1)[0]?.place.release();
        } else if (move.kind === "known") {
          const one = present[move.index];
          if (one === undefined) continue;
          const room = hasRoom(present.filter((other) => other !== one), one.clientId, move.subject);
          assertEquals(one.place.known(move.subject) === undefined, room || one.subject === move.subject);
          if (room) one.subject = move.subject;
        } else {
          const { clientId, address, subject } = move;
          const room = present.length < limits.maxConnections &&
            present.filter((one) => one.address === address).length < limits.maxPerAddress &&
            hasRoom(present, clientId, subject);
          const outcome = admission.admit({ clientId, address, subject });
          assertEquals("place" in outcome, room);
          if ("place" in outcome) present.push({ clientId, address, subject, place: outcome.place });
        }
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("nobody's client_id is used up by those who have shown no token", () => {
  const admission = new Admission({ ...WIDE, maxPerClient: 1 });
  const places = Array.from({ length: 3 }, () => admission.admit({ clientId: "c1", address: "a1" }));
  const refusal = { limit: "MAX_CONNECTIONS_PER_CLIENT", max: 1 } as const;
  const known = places.map((one) => "place" in one ? one.place.known("ann") : "turned away");
  assertEquals(known, [undefined, refusal, refusal]);
});
