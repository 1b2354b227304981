import { assert, assertEquals } from "@std/assert";
import { CompactSign, generateKeyPair } from "jose";
import { KeyServer } from "../access/key_server.ts";
import { base64url, jwkOf, newPairs, signed, spellingsOf } from "../access/signed.ts";
import { AttackedGateway } from "./attacked_gateway.ts";
import { utf8 } from "./raw_bytes.ts";
import { type Came, WAYS } from "./ways_in.ts";

const ISSUER = "https://issuer.test";
const AUDIENCE = "taskwire";
const NOW_S = Math.floor(Date.now() / 1_000);

const pairs = await newPairs();
const others = await newPairs();
const keys = await KeyServer.having(
  await jwkOf(pairs.RS256, { kid: "rsa" }),
  await jwkOf(pairs.ES256, { kid: "ec" }),
  await jwkOf(pairs.EdDSA, { kid: "ed" }),
);
/** Somebody else's keys, whom no token is to make us ask. */
const foreign = await KeyServer.having(await jwkOf(others.RS256, { kid: "rsa" }));

const GOOD = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "ann",
  exp: NOW_S + 3_600,
  rights: ["subscribe"],
  topics: ["task:*"],
};

const RSA = { alg: "RS256", kid: "rsa" } as const;
const operator = await signed(RSA, { ...GOOD, sub: "operator", rights: ["admin"] }, pairs.RS256.privateKey);

const target = AttackedGateway.forAllTests({
  settings: {
    AUTH: "jwt",
    JWKS_URL: keys.url,
    JWT_ISSUER: ISSUER,
    JWT_AUDIENCE: AUDIENCE,
    JWT_SKEW: "0s",
    REQUESTS_PER_SECOND: "100000",
    REQUESTS_BURST: "100000",
  },
  headers: { Authorization: `Bearer ${operator}` },
});
Deno.test.afterAll(async () => {
  await keys[Symbol.asyncDispose]();
  await foreign[Symbol.asyncDispose]();
});

/** A token of these claims beside, or instead of, good ones. */
const rsa = (claims: object): Promise<string> => signed(RSA, { ...GOOD, ...claims }, pairs.RS256.privateKey);

async function tampered(change: (parts: string[]) => string[]): Promise<string> {
  return change((await rsa({})).split(".")).join(".");
}

/** A token that nobody signed, whatever its header says. */
function unsigned(alg: string, signature: string): string {
  return [base64url(JSON.stringify({ alg, kid: "rsa" })), base64url(JSON.stringify(GOOD)), signature].join(
    ".",
  );
}

const more = await jwkOf(others.RS256);
const weak = await generateKeyPair("PS256", { extractable: true });
const spellings = await spellingsOf(pairs.RS256);

const EXPIRED = "that is expired";

/** What each is worth: nothing. Those that once were good, and are over, are told so. */
const BAD: Readonly<Record<string, string | readonly string[]>> = {
  "of another issuer": await rsa({ iss: "https://issuer.test.evil.test" }),
  "of no issuer": await rsa({ iss: undefined }),
  "for another audience": await rsa({ aud: ["others", "taskwire2"] }),
  "for no audience": await rsa({ aud: undefined }),
  [EXPIRED]: await rsa({ exp: NOW_S - 1 }),
  "that is not valid yet": await rsa({ nbf: NOW_S + 600 }),
  "without exp": await rsa({ exp: undefined }),
  "with an exp that is text": await rsa({ exp: String(NOW_S + 600) }),
  "without sub": await rsa({ sub: undefined }),
  "with a payload that was changed": await tampered(([header = "", , signature = ""]) => [
    header,
    base64url(JSON.stringify({ ...GOOD, rights: ["admin"] })),
    signature,
  ]),
  "with a signature that was changed": await tampered(([header = "", payload = "", signature = ""]) => [
    header,
    payload,
    (signature.startsWith("A") ? "B" : "A") + signature.slice(1),
  ]),
  "with a header that was changed": await tampered(([, payload = "", signature = ""]) => [
    base64url(JSON.stringify({ ...RSA, typ: "JWT" })),
    payload,
    signature,
  ]),
  "with alg none": ["none", "None", "NONE", "nOnE", ""].flatMap((alg) => [
    unsigned(alg, ""),
    unsigned(alg, "c2lnbmF0dXJl"),
  ]),
  "with the public key taken for a secret": await Promise.all(
    spellings.map((secret) => signed({ alg: "HS256", kid: "rsa" }, GOOD, secret)),
  ),
  "with a key of the same name that is another's": await signed(RSA, GOOD, others.RS256.privateKey),
  "with an algorithm that its key is not for": await signed(
    { alg: "ES256", kid: "rsa" },
    GOOD,
    pairs.ES256.privateKey,
  ),
  "with an algorithm that is not allowed": await signed({ ...RSA, alg: "PS256" }, GOOD, weak.privateKey),
  "that brings its own key": await signed({ ...RSA, jwk: more }, GOOD, others.RS256.privateKey),
  "that says where its keys are": [
    await signed({ ...RSA, jku: foreign.url }, GOOD, others.RS256.privateKey),
    await signed({ ...RSA, x5u: foreign.url }, GOOD, others.RS256.privateKey),
  ],
  "with a crit that nobody knows": await new CompactSign(utf8(JSON.stringify(GOOD)))
    .setProtectedHeader({ ...RSA, crit: ["exp2"], exp2: 1 })
    .sign(pairs.RS256.privateKey, { crit: { exp2: true } }),
  "in five parts": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0.e30.e30.e30.e30",
  "that is none": ["x", "Bearer", "null", "undefined", "0", "a.b.c", "..", "e30.e30.e30"],
};

/** What is said of a token on every way: the same, and nothing of what is wrong with it but that it has ended. */
function judged(name: string, token: string, came: Came): void {
  assert(came !== "let in", name);
  const isExpired = name === EXPIRED;
  if ("code" in came) assertEquals(came.code, isExpired ? 4402 : 4401);
  else assertEquals(came.status, 401);
  const [told = "", ...rest] = came.told;
  assert(told.startsWith("UNAUTHORIZED the token"), told);
  assertEquals(rest, []);
  assert(!told.includes(token) || token.length < 10, told);
  if (isExpired) assertEquals(told, "UNAUTHORIZED the token has expired");
}

Deno.test("what is no good token opens nothing, in whatever way it is shown", async (t) => {
  await target.withstands(async () => {
    let shown = 0;
    let expired = 0;
    for (const [name, bad] of Object.entries(BAD)) {
      await t.step(`a token ${name}`, async () => {
        for (const token of typeof bad === "string" ? [bad] : bad) {
          for (const way of Object.values(WAYS)) judged(name, token, await way(target.port, token));
          shown++;
          if (name === EXPIRED) expired++;
        }
      });
    }
    return {
      'taskwire_errors_total{code="UNAUTHORIZED"}': 4 * shown,
      'taskwire_connections_closed_total{code="4401"}': shown - expired,
      'taskwire_connections_closed_total{code="4402"}': expired,
      'taskwire_http_requests_total{method="GET",route="/api/tasks/:id",status="4xx"}': shown,
      'taskwire_http_requests_total{method="GET",route="/api/stream",status="4xx"}': 2 * shown,
    };
  });
  assertEquals(foreign.asked, []);
});

Deno.test("a good token opens every way, whichever of the algorithms it is of", async () => {
  await target.withstands(async () => {
    for (const [alg, kid] of [["RS256", "rsa"], ["ES256", "ec"], ["EdDSA", "ed"]] as const) {
      const token = await signed({ alg, kid }, GOOD, pairs[alg].privateKey);
      for (const [name, way] of Object.entries(WAYS)) {
        assertEquals(await way(target.port, token), "let in", `${alg} by ${name}`);
      }
    }
  });
});

Deno.test("a good token beside a bad one opens nothing: whoever looks at the other would be deceived", async () => {
  await target.withstands(async () => {
    const token = await rsa({});
    const beside = { Authorization: "Bearer guessed-guessed" };
    for (const name of ["?token=", "sub-protocol"]) {
      assertEquals(await WAYS[name]?.(target.port, token, beside), {
        code: 4400,
        told: ["INVALID_MESSAGE token: must be given once"],
      });
    }
    assertEquals(await WAYS["stream, ?token="]?.(target.port, token, beside), {
      status: 400,
      told: ["INVALID_MESSAGE token: must be given once"],
    });
  });
});

Deno.test("names of keys that nobody has make the keys be asked for once in a while, and not for each", async () => {
  await target.withstands(async () => {
    const before = keys.asked.length;
    const told = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const token = unsigned("RS256", "c2lnbmF0dXJl").replace(
        /^[^.]+/,
        base64url(JSON.stringify({ alg: "RS256", kid: i === 0 ? "../../../../dev/null" : `made-up-${i}` })),
      );
      const came = await WAYS["HTTP"]?.(target.port, token) ?? "let in";
      assert(came !== "let in");
      for (const one of came.told) told.add(one);
    }
    // What came up since the keys were asked for may be new: it is told to come again, and cannot do so for nothing.
    told.delete("UNAUTHORIZED the token is not valid");
    assertEquals([...told], ["SERVER_ERROR tokens cannot be judged at present"]);
    assert(keys.asked.length - before <= 1, `${keys.asked.length - before} questions`);
  });
});
