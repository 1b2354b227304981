import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { BEARER_PROTOCOL, offeredToken, type TokenPlaces } from "../../src/access/bearer.ts";
import { base64url } from "./signed.ts";

const NOWHERE: TokenPlaces = { authorization: undefined };
const TWICE = { invalid: "token: must be given once" };

function offered(places: Partial<TokenPlaces>): ReturnType<typeof offeredToken> {
  return offeredToken({ ...NOWHERE, ...places });
}

Deno.test("who carries no token is not blamed for it", () => {
  const none: readonly Partial<TokenPlaces>[] = [
    {},
    { protocols: "", query: [""] },
    { protocols: "taskwire.v1.json, graphql-ws", query: [] },
    { query: ["", ""] },
    { protocols: "taskwire.bearerx.YQ", query: undefined },
  ];
  for (const places of none) assertEquals(offered(places), { token: undefined });
});

Deno.test("a token is found in the header, among the sub-protocols, or in the query", () => {
  assertEquals(offered({ authorization: "Bearer abc.DEF-_~+/=" }), { token: "abc.DEF-_~+/=" });
  for (const authorization of ["bearer abc", "BEARER abc", "Bearer   abc  "]) {
    assertEquals(offered({ authorization }), { token: "abc" });
  }
  const protocol = BEARER_PROTOCOL + base64url("a token: ä");
  for (const protocols of [protocol, `taskwire.v1.json, ${protocol}`, `${protocol} ,other`]) {
    assertEquals(offered({ protocols }), { token: "a token: ä" });
  }
  assertEquals(offered({ query: ["abc"] }), { token: "abc" });
});

Deno.test("a header that is no bearer's is refused, and nothing of it is quoted", () => {
  const secret = "hunter2hunter2";
  const wrong = [
    "",
    "Bearer",
    "Bearer ",
    `Bearer${secret}`,
    secret,
    `Basic ${secret}`,
    `Bearer ${secret} ${secret}`,
    `Bearer ${secret},Bearer ${secret}`,
    `Bearer "${secret}"`,
    `Bearer ${secret}\n`,
    `Bearer\t${secret}`,
    ` Bearer ${secret}`,
    `Bearer ${secret}ä`,
  ];
  for (const authorization of wrong) {
    assertEquals(offered({ authorization }), { invalid: "Authorization: must be Bearer and a token" });
  }
});

Deno.test("a sub-protocol that ends in no base64url is refused", () => {
  for (const rest of ["", "a", "*", "a b", "YQ==", "____", "gICA", "YQ+/"]) {
    assertEquals(offered({ protocols: BEARER_PROTOCOL + rest }), {
      invalid: `${BEARER_PROTOCOL}…: must end in a token as base64url`,
    }, rest);
  }
});

Deno.test("who carries several tokens is refused, whether they are the same or not", () => {
  const protocol = BEARER_PROTOCOL + base64url("abc");
  const several: readonly Partial<TokenPlaces>[] = [
    { authorization: "Bearer abc", query: ["abc"] },
    { authorization: "Bearer abc", protocols: protocol },
    { protocols: protocol, query: ["other"] },
    { protocols: `${protocol}, ${protocol}` },
    { query: ["abc", "abc"] },
    { query: ["abc", "", "other"] },
    { authorization: "Bearer abc", protocols: protocol, query: ["abc"] },
  ];
  for (const places of several) assertEquals(offered(places), TWICE);
});

Deno.test("whatever a request carries, it is a token, none, or a rule that it breaks", () => {
  const text = fc.option(fc.oneof(fc.string(), fc.string({ unit: "binary" })), { nil: undefined });
  const place = fc.oneof(
    text,
    fc.string().map((rest) => `Bearer ${rest}`),
    fc.string().map((rest) => BEARER_PROTOCOL + rest),
  );
  fc.assert(
    fc.property(place, place, fc.array(fc.string(), { maxLength: 3 }), (authorization, protocols, query) => {
      const found = offeredToken({ authorization, protocols, query });
      assert(
        "invalid" in found
          ? found.invalid.length < 100
          : ["string", "undefined"].includes(typeof found.token),
      );
    }),
  );
  fc.assert(fc.property(fc.string({ minLength: 1 }).filter((token) => token.isWellFormed()), (token) => {
    assertEquals(offered({ protocols: BEARER_PROTOCOL + base64url(token) }), { token });
  }));
});
