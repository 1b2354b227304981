import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Lead, type LeadEffect, type LeadInput, stepLead, waitMs } from "../../src/client/tab_lead.ts";

const leader = fc.constantFrom("a", "b");
const input: fc.Arbitrary<LeadInput> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom<LeadInput>("arrive", "granted", "robbed", "lost", "waited", "turned", "asked"),
  },
  { weight: 1, arbitrary: fc.constantFrom<LeadInput>("leave", "excluded") },
  { weight: 2, arbitrary: fc.record({ leader, hiddenAtMs: fc.constantFrom(undefined, 1_000) }) },
);

/** What a tab has of the lock, as its effects and what becomes of them make it. */
type Hold = "none" | "queued" | "held";

function held(hold: Hold, one: LeadInput, effects: readonly LeadEffect[]): Hold {
  let now = one === "granted" ? "held" : one === "robbed" ? "none" : hold;
  for (const effect of effects) {
    if (effect === "queue" || effect === "steal") now = "queued";
    if (effect === "release") now = "none";
  }
  return now;
}

Deno.test("who leads has the lock, who follows queues for it, and nobody else is in the way", () => {
  fc.assert(
    fc.property(fc.array(input, { maxLength: 60, size: "max" }), (inputs) => {
      let lead: Lead = { kind: "away" };
      let hold: Hold = "none";
      for (const one of ["arrive" as const, ...inputs]) {
        // A lock is granted to who queues, and taken from who has it, or was just about to.
        if (one === "granted" && hold !== "queued" || one === "robbed" && hold === "none") continue;
        const [next, effects] = stepLead(lead, one);
        hold = held(hold, one, effects);
        const expected = { away: "none", alone: "none", following: "queued", leading: "held" } as const;
        assertEquals(hold, expected[next.kind], `${JSON.stringify(one)} of ${JSON.stringify(lead)}`);
        const moves = effects.includes("move");
        const goes = next.kind === "away" || next.kind === "alone" || next.kind === "leading";
        if (next.kind !== lead.kind && goes) assert(moves, "the connection goes with the role");
        if (lead.kind === "leading" && next.kind !== "leading") {
          const [left, given] = [effects.indexOf("move"), effects.indexOf("release")];
          assert(given < 0 || left < given, "the connection is left before the lock");
        }
        if (next.kind === "leading" && lead.kind !== "leading") assert(effects.includes("announce"));
        lead = next;
      }
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("a leader that does not answer, or is hidden for long from one that is seen, is robbed of the lock", () => {
  const asking: Lead = { kind: "following", leader: undefined, hiddenAtMs: undefined };
  const seen: Lead = { kind: "following", leader: "a", hiddenAtMs: undefined };
  const hidden: Lead = { kind: "following", leader: "a", hiddenAtMs: 100_000 };
  assertEquals(waitMs(asking, 5, false), 3_000);
  assertEquals(waitMs(seen, 5, true), undefined);
  assertEquals(waitMs(hidden, 104_000, true), 6_000);
  assertEquals(waitMs(hidden, 104_000, false), undefined, "who is hidden too is no better");
  assertEquals(waitMs(hidden, 400_000, true), 0);
  for (const kind of ["away", "leading", "alone"] as const) {
    assertEquals(waitMs({ kind }, 5, true), undefined);
  }
  assertEquals(stepLead(hidden, "waited"), [asking, ["steal"]], "and again, should nothing come of it");
});

Deno.test("another leader is moved to, and the same one is not", () => {
  const [following] = stepLead({ kind: "following", leader: "a", hiddenAtMs: undefined }, {
    leader: "a",
    hiddenAtMs: 7,
  });
  assertEquals(following, { kind: "following", leader: "a", hiddenAtMs: 7 });
  const [other, effects] = stepLead(following, { leader: "b", hiddenAtMs: undefined });
  assertEquals([other, effects], [{ kind: "following", leader: "b", hiddenAtMs: undefined }, ["move"]]);
});
