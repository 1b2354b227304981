import { sign } from "node:crypto";
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { exportPKCS8, type JWTHeaderParameters } from "jose";
import { type Access, RIGHTS } from "../../src/access/access.ts";
import { AccessError } from "../../src/access/authenticator.ts";
import { JWT_ALGORITHMS, JwtTokens } from "../../src/access/jwt_tokens.ts";
import { MAX_PATTERNS, Scope } from "../../src/access/scope.ts";
import { base64url, GOOD, newPairs, NOW_MS, NOW_S, SECRET, signed, spellingsOf } from "./signed.ts";

const PAIRS = await newPairs();
const RSA = PAIRS.RS256;
const SKEW_MS = 30_000;

type Options = Partial<ConstructorParameters<typeof JwtTokens>[0]>;

/** Judges by the RSA key, with the clock standing still. */
function tokens(options: Options = {}): JwtTokens {
  return new JwtTokens({
    keysFor: () => Promise.resolve([RSA.publicKey]),
    algorithms: ["RS256"],
    skewMs: SKEW_MS,
    now: () => NOW_MS,
    ...options,
  });
}

function bySecret(options: Options = {}): JwtTokens {
  return tokens({ keysFor: () => Promise.resolve([SECRET]), algorithms: ["HS256"], ...options });
}

/** A token of ours with other claims; a claim that is undefined is left out. */
function claiming(
  claims: Readonly<Record<string, unknown>>,
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  return signed({ alg: "RS256", ...header }, { ...GOOD, ...claims }, RSA.privateKey);
}

/** `code: message` of why a token is refused; fails where it is not, or by anything else. */
async function refusalOf(token: string, by = tokens()): Promise<string> {
  const { code, message } = await assertRejects(() => by.authenticate(token), AccessError);
  return `${code}: ${message}`;
}

const INVALID = "invalid: the token is not valid";
const EXPIRED = "expired: the token has expired";

Deno.test("a token of each algorithm stands for what it claims", async () => {
  const access: Access = {
    subject: "user-42",
    rights: new Set(["subscribe"]),
    scope: Scope.of(["task:tag:user-42"]),
    expiresAtMs: NOW_MS + 300_000 + SKEW_MS,
  };
  const byKey = [
    [bySecret(), await signed({ alg: "HS256" }, GOOD, SECRET)],
    ...await Promise.all((["RS256", "ES256", "EdDSA"] as const).map(async (alg) =>
      [
        tokens({ keysFor: () => Promise.resolve([PAIRS[alg].publicKey]), algorithms: [alg] }),
        await signed({ alg, typ: "JWT", kid: "k1" }, GOOD, PAIRS[alg].privateKey),
      ] as const
    )),
  ] as const;
  for (const [by, token] of byKey) assertEquals(await by.authenticate(token), access);
});

Deno.test("the key is asked for by the token's header", async () => {
  const asked: unknown[] = [];
  const keysFor = (header: unknown) => {
    asked.push(header);
    return Promise.resolve([RSA.publicKey]);
  };
  await tokens({ keysFor }).authenticate(await claiming({}, { kid: "k7", typ: "JWT" }));
  assertEquals(asked, [{ alg: "RS256", kid: "k7", typ: "JWT" }]);
});

Deno.test("what is not claimed is not given, and what nobody knows is passed over", async () => {
  const token = await claiming({
    rights: undefined,
    topics: undefined,
    admin: true,
    scope: "admin",
    aud: "x",
    iss: "y",
  });
  assertEquals<unknown>(await tokens().authenticate(token), {
    subject: "user-42",
    rights: new Set(),
    scope: Scope.of([]),
    expiresAtMs: NOW_MS + 300_000 + SKEW_MS,
  });
  const all = await tokens().authenticate(
    await claiming({ rights: RIGHTS, topics: ["*"], sub: "Zoë 数据 (ops)" }),
  );
  assertEquals([all.subject, all.rights, all.scope.key], ["Zoë 数据 (ops)", new Set(RIGHTS), "*"]);
});

Deno.test("issuer and audience are asked for where they are set", async () => {
  const by = tokens({ issuer: "https://id.example.org/", audience: "taskwire" });
  const ours = { iss: "https://id.example.org/", aud: "taskwire" };
  for (const aud of ["taskwire", ["other", "taskwire"]]) {
    assertEquals((await by.authenticate(await claiming({ ...ours, aud }))).subject, "user-42");
  }
  const wrong: readonly Readonly<Record<string, unknown>>[] = [
    { ...ours, iss: "https://evil.example" },
    { ...ours, iss: "https://id.example.org" },
    { ...ours, iss: ["https://id.example.org/"] },
    { ...ours, iss: undefined },
    { ...ours, aud: "Taskwire" },
    { ...ours, aud: ["other"] },
    { ...ours, aud: [] },
    { ...ours, aud: [["taskwire"]] },
    { ...ours, aud: undefined },
    {},
  ];
  for (const claims of wrong) assertEquals(await refusalOf(await claiming(claims), by), INVALID);
});

Deno.test("an unsigned token is refused, however it spells that", async () => {
  const body = base64url(JSON.stringify(GOOD));
  for (const alg of ["none", "None", "NONE", "nOnE", "", " none", null, undefined, 0, ["none"]]) {
    const head = base64url(JSON.stringify({ alg, typ: "JWT" }));
    for (const signature of ["", "AAAA"]) {
      assertEquals(await refusalOf(`${head}.${body}.${signature}`), INVALID, `${alg}`);
      assertEquals(await refusalOf(`${head}.${body}.${signature}`, bySecret()), INVALID);
    }
    assertEquals(await refusalOf(`${head}.${body}`), INVALID);
  }
});

Deno.test("an algorithm that is not allowed is refused though the signature is good", async () => {
  const every = [
    ["HS256", SECRET, SECRET],
    ...(["RS256", "ES256", "EdDSA"] as const).map((alg) =>
      [alg, PAIRS[alg].privateKey, PAIRS[alg].publicKey] as const
    ),
  ] as const;
  for (const [alg, signing, verifying] of every) {
    const algorithms = JWT_ALGORITHMS.filter((name) => name !== alg);
    const by = tokens({ keysFor: () => Promise.resolve([verifying]), algorithms });
    assertEquals(await refusalOf(await signed({ alg }, GOOD, signing), by), INVALID, alg);
  }
  const longer = await signed({ alg: "HS512" }, GOOD, new Uint8Array(64).fill(7));
  const by = bySecret({ keysFor: () => Promise.resolve([new Uint8Array(64).fill(7)]) });
  assertEquals(await refusalOf(longer, by), INVALID);
});

Deno.test("a public key is no secret: who signs with it is refused, even where HS256 is allowed beside RS256", async () => {
  for (const secret of await spellingsOf(RSA)) {
    const token = await signed({ alg: "HS256" }, GOOD, secret);
    assertEquals(await refusalOf(token), INVALID);
    assertEquals(await refusalOf(token, tokens({ algorithms: ["RS256", "HS256"] })), INVALID);
    assertEquals(await refusalOf(token, bySecret()), INVALID);
  }
});

Deno.test("a key of another kind than the token's algorithm verifies nothing", async () => {
  for (const alg of ["RS256", "ES256", "EdDSA"] as const) {
    for (const other of ["RS256", "ES256", "EdDSA"] as const) {
      if (alg === other) continue;
      const by = tokens({
        keysFor: () => Promise.resolve([PAIRS[other].publicKey]),
        algorithms: [alg, other],
      });
      assertEquals(await refusalOf(await signed({ alg }, GOOD, PAIRS[alg].privateKey), by), INVALID);
    }
    const by = tokens({ keysFor: () => Promise.resolve([SECRET]), algorithms: [alg] });
    assertEquals(await refusalOf(await signed({ alg }, GOOD, PAIRS[alg].privateKey), by), INVALID);
  }
});

Deno.test("a token signed by somebody else's key is refused", async () => {
  const others = await newPairs();
  for (const alg of ["RS256", "ES256", "EdDSA"] as const) {
    const by = tokens({ keysFor: () => Promise.resolve([PAIRS[alg].publicKey]), algorithms: [alg] });
    assertEquals(await refusalOf(await signed({ alg }, GOOD, others[alg].privateKey), by), INVALID);
  }
  const secret = new TextEncoder().encode("another secret that is longer than 32 bytes");
  assertEquals(await refusalOf(await signed({ alg: "HS256" }, GOOD, secret), bySecret()), INVALID);
});

Deno.test("a token is good from nbf to exp, and by the skew before and after", async () => {
  const at = async (claims: Readonly<Record<string, unknown>>, nowMs: number): Promise<string> => {
    const by = tokens({ now: () => nowMs });
    return await by.authenticate(await claiming(claims)).then(() => "good", ({ code }) => code);
  };
  const exp = { exp: NOW_S };
  const ends = [-1_000, 0, SKEW_MS - 1, SKEW_MS, SKEW_MS + 1_000].map((ms) => at(exp, NOW_MS + ms));
  assertEquals(await Promise.all(ends), ["good", "good", "good", "expired", "expired"]);
  const nbf = { nbf: NOW_S, exp: NOW_S + 300 };
  const begins = [-SKEW_MS - 1_000, -SKEW_MS - 1, -SKEW_MS, 0, 1_000].map((ms) => at(nbf, NOW_MS + ms));
  assertEquals(await Promise.all(begins), ["invalid", "invalid", "good", "good", "good"]);
  const strict = tokens({ skewMs: 0 });
  assertEquals(await refusalOf(await claiming({ exp: NOW_S }), strict), EXPIRED);
  assertEquals((await strict.authenticate(await claiming({ exp: NOW_S + 1 }))).expiresAtMs, NOW_MS + 1_000);
});

Deno.test("a token that has expired is only called so if it would have been good before", async () => {
  assertEquals(await refusalOf(await claiming({ exp: NOW_S - 60 })), EXPIRED);
  const forged = `${(await claiming({ exp: NOW_S - 60 })).slice(0, -8)}AAAAAAAA`;
  assertEquals(await refusalOf(forged), INVALID);
});

Deno.test("a token in which a letter was changed is refused", async () => {
  const token = await claiming({});
  const [head = "", body = "", signature = ""] = token.split(".");
  const admin = base64url(JSON.stringify({ ...GOOD, rights: ["admin"], topics: ["*"] }));
  const tampered = [
    `${head}.${admin}.${signature}`,
    `${base64url('{"alg":"RS256","kid":"other"}')}.${body}.${signature}`,
    `${head}.${body}.`,
    `${head}.${body}.${signature.slice(0, -2)}`,
    `${head}.${body}.${signature}A`,
    `${head}.${body}.${signature}=`,
    `${head}.${body}.${signature}.`,
    `${head}.${body}.${signature}.${signature}`,
    `${head}..${signature}`,
    `.${body}.${signature}`,
    `${body}.${head}.${signature}`,
    `${head}.${body}`,
    token.replaceAll(".", " "),
    ` ${token}`,
    `${token}\n`,
    token.toLowerCase(),
  ];
  for (const text of tampered) assertEquals(await refusalOf(text), INVALID, text);
  await fc.assert(fc.asyncProperty(fc.nat(token.length - 1), fc.nat(62), async (at, by) => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    const known = alphabet.indexOf(token[at] ?? "");
    const changed = token.slice(0, at) + alphabet[(known + 1 + by) % alphabet.length] + token.slice(at + 1);
    if (changed === token || sameBytes(changed, token)) return;
    assertEquals(await refusalOf(changed), INVALID);
  }));
});

/** Whether two tokens differ in nothing but bits that base64 leaves over. */
function sameBytes(one: string, other: string): boolean {
  const bytesOf = (token: string) =>
    token.split(".").map((part) => {
      try {
        return Uint8Array.fromBase64(part, { alphabet: "base64url", lastChunkHandling: "loose" }).toHex();
      } catch {
        return undefined;
      }
    }).join(".");
  return bytesOf(one) === bytesOf(other);
}

const SOME = `some of ${RIGHTS.join(", ")}`;

Deno.test("claims that break a rule are refused, and the claim is named", async () => {
  const wrong: readonly (readonly [Readonly<Record<string, unknown>>, refusal: string])[] = [
    [{ exp: undefined }, INVALID],
    [{ exp: `${NOW_S + 300}` }, INVALID],
    [{ exp: null }, INVALID],
    [{ exp: 9e12 }, "invalid: the token's claim exp must be a time in s since the epoch"],
    [{ sub: undefined }, INVALID],
    [{ sub: null }, "invalid: the token's claim sub must be a string"],
    [{ sub: 42 }, "invalid: the token's claim sub must be a string"],
    [{ sub: "" }, "invalid: the token's claim sub must be 1–256 printable characters"],
    [{ sub: "x".repeat(257) }, "invalid: the token's claim sub must be 1–256 printable characters"],
    [{ rights: "admin" }, "invalid: the token's claim rights must be a list"],
    [{ rights: { 0: "admin" } }, "invalid: the token's claim rights must be a list"],
    [{ rights: null }, "invalid: the token's claim rights must be a list"],
    [{ rights: ["subscribe", "root"] }, `invalid: the token's claim rights.1 must be ${SOME}`],
    [{ rights: ["Admin"] }, `invalid: the token's claim rights.0 must be ${SOME}`],
    [{ rights: ["__proto__"] }, `invalid: the token's claim rights.0 must be ${SOME}`],
    [{ topics: "task:*" }, "invalid: the token's claim topics must be a list"],
    [
      { topics: Array.from({ length: MAX_PATTERNS + 1 }, (_, i) => `task:id:t${i}`) },
      `invalid: the token's claim topics must be ${MAX_PATTERNS} patterns at most`,
    ],
  ];
  for (const [claims, refusal] of wrong) assertEquals(await refusalOf(await claiming(claims)), refusal);
  for (
    const character of [
      "\0",
      "\n",
      "\r",
      "\t",
      "\u001b",
      "\u007f",
      "\u0085",
      "\u200b",
      "\u202e",
      "\ufeff",
      "\ud800",
    ]
  ) {
    const refusal = await refusalOf(await claiming({ sub: `user${character}42` }));
    assertEquals(refusal, "invalid: the token's claim sub must be 1–256 printable characters");
  }
  for (const pattern of ["task:list", "task:id:a.b", "task.>", "task:tag:a b", "", 7, null, ["*"]]) {
    const refusal = await refusalOf(await claiming({ topics: ["task:id:fine", pattern] }));
    assert(refusal.startsWith("invalid: the token's claim topics.1 "), refusal);
  }
  const most = await claiming({ topics: Array.from({ length: MAX_PATTERNS }, (_, i) => `task:id:t${i}`) });
  assertEquals((await tokens().authenticate(most)).scope.sees({ taskId: "t63", tags: [] }), true);
});

Deno.test("a payload that is no set of claims is refused", async () => {
  for (
    const payload of ["", "null", "[]", '"text"', "7", "{", `[${JSON.stringify(GOOD)}]`, "\ufeff{}", "\xff"]
  ) {
    assertEquals(await refusalOf(await signed({ alg: "RS256" }, payload, RSA.privateKey)), INVALID, payload);
  }
});

Deno.test("what a token calls critical and nobody knows is refused", async () => {
  const body = base64url(JSON.stringify(GOOD));
  const headers = [
    { alg: "RS256", crit: ["exp"], exp: NOW_S },
    { alg: "RS256", crit: ["urn:example"], "urn:example": true },
    { alg: "RS256", crit: [] },
    { alg: "RS256", crit: "b64" },
    { alg: "RS256", crit: ["b64"], b64: false },
    { alg: "RS256", crit: ["alg"] },
    { alg: "RS256", crit: null },
  ];
  const pem = await exportPKCS8(RSA.privateKey);
  const byHand = (header: object): string => {
    const text = `${base64url(JSON.stringify(header))}.${body}`;
    const signature = sign("RSA-SHA256", new TextEncoder().encode(text), pem).toString("base64url");
    return `${text}.${signature}`;
  };
  assertEquals((await tokens().authenticate(byHand({ alg: "RS256" }))).subject, "user-42");
  for (const header of headers) {
    assertEquals(await refusalOf(byHand(header)), INVALID, JSON.stringify(header));
  }
});

Deno.test("why nobody can judge at present goes through as it is", async () => {
  const away = new AccessError("unavailable", "tokens cannot be judged at present");
  const by = tokens({ keysFor: () => Promise.reject(away) });
  assertEquals(await refusalOf(await claiming({}), by), "unavailable: tokens cannot be judged at present");
});

Deno.test("a refusal quotes nothing of the token", async () => {
  const secret = "hunter2hunter2";
  const shown = [
    secret,
    `${base64url(`{"alg":"${secret}"}`)}.${base64url("{}")}.AAAA`,
    await claiming({ sub: `${secret}\n` }),
    await claiming({ rights: [secret] }),
    await claiming({ topics: [secret] }),
    await claiming({ [secret]: secret, exp: secret }),
  ];
  for (const token of shown) assert(!(await refusalOf(token)).includes(secret));
});

Deno.test("whatever is shown, it is an access or an AccessError", async () => {
  const part = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.json().map(base64url),
    fc.record({ alg: fc.constantFrom("RS256", "HS256", "none"), kid: fc.anything(), crit: fc.anything() }, {
      requiredKeys: [],
    })
      .map((header) => base64url(safeJson(header))),
  );
  const token = fc.oneof(fc.string(), fc.array(part, { maxLength: 5 }).map((parts) => parts.join(".")));
  for (const by of [tokens(), bySecret(), tokens({ algorithms: JWT_ALGORITHMS })]) {
    await fc.assert(fc.asyncProperty(token, async (text) => {
      await assertRejects(() => by.authenticate(text), AccessError);
    }));
  }
});

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "{}"; // a bigint, or what contains itself
  }
}

Deno.test("whatever is claimed under a good signature, it is an access that claims no more, or an AccessError", async () => {
  const some = <T>(value: fc.Arbitrary<T>) => fc.oneof(value, value, fc.jsonValue());
  const claims = fc.record({
    sub: some(fc.string({ minLength: 1 })),
    exp: some(fc.oneof(fc.nat(300).map((s) => NOW_S + s), fc.double({ noNaN: true }))),
    nbf: some(fc.double()),
    iat: some(fc.double()),
    rights: some(fc.array(fc.constantFrom(...RIGHTS, "root"))),
    topics: some(fc.array(fc.constantFrom("*", "task:id:a", "task:tag:b*", "task:list", "__proto__"))),
  }, { requiredKeys: [] });
  await fc.assert(
    fc.asyncProperty(claims, async (all) => {
      const token = await signed({ alg: "HS256" }, all, SECRET);
      const found = await bySecret().authenticate(token).catch((error: unknown) => error);
      if (found instanceof Error) {
        assert(found instanceof AccessError, `${found}`);
        return;
      }
      const { rights = [], topics = [], sub, exp } = JSON.parse(JSON.stringify(all));
      assertEquals<unknown>(found, {
        subject: sub,
        rights: new Set(rights),
        scope: Scope.of(topics),
        expiresAtMs: Math.floor(exp * 1_000) + SKEW_MS,
      });
      assert(Number.isSafeInteger(Math.floor(exp * 1_000) + SKEW_MS));
    }),
    { numRuns: 500 },
  );
});
