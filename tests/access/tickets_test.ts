import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import type { Access } from "../../src/access/access.ts";
import { AccessError } from "../../src/access/authenticator.ts";
import { Scope } from "../../src/access/scope.ts";
import { TICKET_MS, type TicketOptions, Tickets } from "../../src/access/tickets.ts";
import { NOW_MS } from "./signed.ts";

function accessOf(subject: string, expiresAtMs?: number): Access {
  const access: Access = { subject, rights: new Set(["subscribe"]), scope: Scope.of(["task:tag:x"]) };
  return expiresAtMs === undefined ? access : { ...access, expiresAtMs };
}

/** Tickets by a clock that the test moves. */
class Bench {
  nowMs = NOW_MS;
  readonly tickets: Tickets;

  constructor(options: Omit<TicketOptions, "now"> = {}) {
    this.tickets = new Tickets({ ...options, now: () => this.nowMs });
  }

  /** A ticket; fails where none is given. */
  issue(access = accessOf("a")): string {
    const made = this.tickets.issue(access);
    assert(made !== undefined, "too many are out");
    return made.ticket;
  }
}

async function refused(tickets: Tickets, ticket: string): Promise<void> {
  const { code, message } = await assertRejects(() => tickets.authenticate(ticket), AccessError);
  assertEquals([code, message], ["invalid", "the ticket is not valid, or was used"]);
}

Deno.test("a ticket stands for the access that it was made of, once", async () => {
  const { tickets, ...bench } = new Bench();
  const access = accessOf("a");
  const made = tickets.issue(access);
  assertEquals(made?.expiresAtMs, bench.nowMs + TICKET_MS);
  assertMatch(made?.ticket ?? "", /^twt_[A-Za-z0-9_-]{54}$/);
  assertStrictEquals(await tickets.authenticate(made?.ticket ?? ""), access);
  await refused(tickets, made?.ticket ?? "");
  assertEquals(tickets.redeem(made?.ticket ?? ""), undefined);
});

Deno.test("of those who show one ticket at the same time one comes in", async () => {
  const bench = new Bench();
  const ticket = bench.issue();
  const shown = await Promise.allSettled(
    Array.from({ length: 20 }, () => bench.tickets.authenticate(ticket)),
  );
  assertEquals(shown.filter(({ status }) => status === "fulfilled").length, 1);
});

Deno.test("a ticket is good for 30 s and no longer", async () => {
  for (const [ms, isGood] of [[29_999, true], [30_000, false], [86_400_000, false]] as const) {
    const bench = new Bench();
    const ticket = bench.issue();
    bench.nowMs += ms;
    if (isGood) assertEquals((await bench.tickets.authenticate(ticket)).subject, "a");
    else await refused(bench.tickets, ticket);
  }
});

Deno.test("a ticket never outlives the token that it was made of, nor does what comes of it", async () => {
  const bench = new Bench();
  const access = accessOf("a", NOW_MS + 5_000);
  const [first, second] = [bench.tickets.issue(access), bench.tickets.issue(access)];
  assertEquals(first?.expiresAtMs, NOW_MS + 5_000);
  bench.nowMs += 4_999;
  assertEquals((await bench.tickets.authenticate(first?.ticket ?? "")).expiresAtMs, NOW_MS + 5_000);
  bench.nowMs += 1;
  await refused(bench.tickets, second?.ticket ?? "");
});

Deno.test("no two tickets are the same, and each tells who issued it", () => {
  const [one, other] = [new Bench(), new Bench()];
  const many = new Set(Array.from({ length: 100 }, () => one.issue()));
  assertEquals(many.size, 100);
  assert([...many].every((ticket) => ticket.startsWith(`twt_${one.tickets.issuer}`)));
  assert(one.tickets.issuer !== other.tickets.issuer);
});

Deno.test("a subject has a hundred out at most, and has more once some were used or have ended", async () => {
  const bench = new Bench();
  const out = Array.from({ length: 100 }, () => bench.issue());
  assertEquals(bench.tickets.issue(accessOf("a")), undefined);
  bench.issue(accessOf("b"));
  await bench.tickets.authenticate(out[50] ?? "");
  await refused(bench.tickets, out[50] ?? "");
  bench.issue();
  assertEquals(bench.tickets.issue(accessOf("a")), undefined);
  bench.nowMs += TICKET_MS;
  for (let i = 0; i < 100; i++) bench.issue();
  assertEquals(bench.tickets.issue(accessOf("a")), undefined);
});

Deno.test("ten thousand are out at most, and others get theirs when time has passed", () => {
  const bench = new Bench();
  for (let i = 0; i < 10_000; i++) bench.issue(accessOf(`s${i % 200}`));
  assertEquals(bench.tickets.issue(accessOf("another")), undefined);
  bench.nowMs += TICKET_MS - 1;
  assertEquals(bench.tickets.issue(accessOf("another")), undefined);
  bench.nowMs += 1;
  bench.issue(accessOf("another"));
});

Deno.test("what is no ticket is refused, and nobody else is asked about it", async () => {
  const asked: string[] = [];
  const bench = new Bench({
    askIssuer: (issuer, ticket) => {
      asked.push(`${issuer} ${ticket}`);
      return Promise.resolve(undefined);
    },
  });
  const ticket = bench.issue();
  const wrong = [
    "",
    "twt_",
    "twt_A",
    ticket.slice(0, -1),
    `${ticket}A`,
    `${ticket} `,
    `${ticket}\n`,
    ticket.replace("twt_", "TWT_"),
    `twt_${"*".repeat(54)}`,
    `twt_${">".repeat(11)}${"A".repeat(43)}`,
    `twt_${"a.b.c.d.e.f"}${"A".repeat(43)}`,
    `twt_${bench.tickets.issuer}${"A".repeat(43)}`,
  ];
  for (const text of wrong) await refused(bench.tickets, text);
  assertEquals(asked, []);
  assertEquals((await bench.tickets.authenticate(ticket)).subject, "a");
});

Deno.test("another gateway's ticket is asked of that gateway, which gives it out once", async () => {
  const theirs = new Bench();
  const ours = new Bench({
    askIssuer: (issuer, ticket) =>
      Promise.resolve(issuer === theirs.tickets.issuer ? theirs.tickets.redeem(ticket) : undefined),
  });
  const access = accessOf("them");
  const ticket = theirs.issue(access);
  assertStrictEquals(await ours.tickets.authenticate(ticket), access);
  await refused(ours.tickets, ticket);
  await refused(theirs.tickets, ticket);
  await refused(new Bench().tickets, theirs.issue());
  await refused(ours.tickets, new Bench().issue());
});

Deno.test("whatever is shown, it is refused with an AccessError unless it is a ticket that is out", async () => {
  const bench = new Bench();
  const out = new Set([bench.issue(), bench.issue()]);
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }).map((rest) => `twt_${rest}`),
    fc.stringMatching(/^twt_[A-Za-z0-9_-]{54}$/),
    fc.constantFrom(...out),
  );
  await fc.assert(fc.asyncProperty(text, async (ticket) => {
    const isOut = out.delete(ticket);
    const found = await bench.tickets.authenticate(ticket).catch((error: unknown) => error);
    assertEquals(found instanceof AccessError, !isOut);
  }));
});
