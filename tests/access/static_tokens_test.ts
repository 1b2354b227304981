import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import type { Access } from "../../src/access/access.ts";
import { AccessError } from "../../src/access/authenticator.ts";
import { Scope } from "../../src/access/scope.ts";
import { StaticTokens } from "../../src/access/static_tokens.ts";

function accessOf(subject: string): Access {
  return { subject, rights: new Set(["subscribe"]), scope: Scope.of(["*"]) };
}

const ONE = { token: "one-token-of-some-length", access: accessOf("one") };
const OTHER = { token: "another-token-of-a-length", access: accessOf("other") };

Deno.test("a token stands for what was said of it", async () => {
  const tokens = new StaticTokens([ONE, OTHER]);
  assertStrictEquals(await tokens.authenticate(ONE.token), ONE.access);
  assertStrictEquals(await tokens.authenticate(OTHER.token), OTHER.access);
});

Deno.test("what is no token is refused, and the error quotes nothing of it", async () => {
  const tokens = new StaticTokens([ONE, OTHER]);
  const wrong = [
    "",
    " ",
    ONE.token.slice(0, -1),
    `${ONE.token} `,
    ` ${ONE.token}`,
    `${ONE.token}\0`,
    ONE.token.toUpperCase(),
    `${ONE.token}${OTHER.token}`,
    "one",
    "__proto__",
    "constructor",
  ];
  for (const token of wrong) {
    const error = await assertRejects(() => tokens.authenticate(token), AccessError);
    assertEquals([error.code, error.message, error.cause], ["invalid", "the token is not valid", undefined]);
  }
  await assertRejects(() => new StaticTokens([]).authenticate(""), AccessError);
});

Deno.test("whatever is shown, it opens nothing unless it is a token by the letter", async () => {
  const tokens = new StaticTokens([ONE]);
  await fc.assert(fc.asyncProperty(fc.string({ unit: "binary" }), async (text) => {
    const found = await tokens.authenticate(text).catch((error: unknown) => error);
    assertEquals(found instanceof AccessError, text !== ONE.token);
  }));
});
