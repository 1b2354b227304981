import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type Access, EVERYBODY } from "../../src/access/access.ts";
import { AccessError, type Authenticator, MAX_TOKEN_CHARS } from "../../src/access/authenticator.ts";
import { Gate } from "../../src/access/gate.ts";
import { Scope } from "../../src/access/scope.ts";
import { StaticTokens } from "../../src/access/static_tokens.ts";
import { NOW_MS } from "./signed.ts";

const ACCESS: Access = { subject: "a", rights: new Set(["subscribe"]), scope: Scope.of(["*"]) };
const TOKEN = "a-token-of-some-length";

/** Knows one token, and remembers which it was asked about. */
class Remembering implements Authenticator {
  readonly asked: string[] = [];
  readonly #tokens = new StaticTokens([{ token: TOKEN, access: ACCESS }]);

  authenticate(token: string): Promise<Access> {
    this.asked.push(token);
    return this.#tokens.authenticate(token);
  }
}

function gateOf(tokens?: Authenticator): Gate {
  return new Gate(tokens, { now: () => NOW_MS });
}

Deno.test("where nobody is asked everybody may do everything, with any token and with none", async () => {
  const gate = gateOf();
  assertStrictEquals(gate.withoutToken, EVERYBODY);
  for (const token of ["", "anything", "twt_", "x".repeat(100_000)]) {
    assertStrictEquals(await gate.authenticate(token), EVERYBODY);
  }
});

Deno.test("where nobody is asked a ticket can be had all the same, as often as one likes", async () => {
  const gate = gateOf();
  for (let i = 0; i < 10_001; i++) assert(gate.issue(EVERYBODY) !== undefined);
  const made = gate.issue(EVERYBODY);
  assertEquals(made?.expiresAtMs, NOW_MS + 30_000);
  assertStrictEquals(await gate.authenticate(made?.ticket ?? ""), EVERYBODY);
  assertEquals(gate.redeem(made?.ticket ?? ""), undefined, "it is nobody's");
});

Deno.test("where tokens are asked for nothing may be done without", async () => {
  const gate = gateOf(new Remembering());
  assertEquals(gate.withoutToken, undefined);
  assertStrictEquals(await gate.authenticate(TOKEN), ACCESS);
  await assertRejects(() => gate.authenticate("another-token-of-a-length"), AccessError);
});

Deno.test("a ticket is told from a token by its look, and is no matter of who knows tokens", async () => {
  const tokens = new Remembering();
  const gate = gateOf(tokens);
  const ticket = gate.issue(ACCESS)?.ticket ?? "";
  assertStrictEquals(await gate.authenticate(ticket), ACCESS);
  for (const used of [ticket, "twt_", "twt_made-up"]) {
    const { message } = await assertRejects(() => gate.authenticate(used), AccessError);
    assertEquals(message, "the ticket is not valid, or was used");
  }
  assertEquals(tokens.asked, []);
});

Deno.test("a ticket of ours is redeemed for another gateway, once", () => {
  const gate = gateOf(new Remembering());
  const ticket = gate.issue(ACCESS)?.ticket ?? "";
  assert(ticket.startsWith(`twt_${gate.issuer}`));
  assertEquals([gate.redeem(ticket), gate.redeem(ticket)], [ACCESS, undefined]);
});

Deno.test("a token that is too long is not looked at", async () => {
  const tokens = new Remembering();
  const gate = gateOf(tokens);
  const longest = "x".repeat(MAX_TOKEN_CHARS);
  await assertRejects(() => gate.authenticate(longest), AccessError, "the token is not valid");
  await assertRejects(() => gate.authenticate(`${longest}x`), AccessError, "the token is too long");
  await assertRejects(() => gate.authenticate(`twt_${longest}`), AccessError, "the token is too long");
  assertEquals(tokens.asked, [longest]);
});
