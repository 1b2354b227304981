import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { RIGHTS } from "../../src/access/access.ts";
import { MAX_PATTERNS, Scope } from "../../src/access/scope.ts";
import { parseAuthTokens } from "../../src/settings/auth_tokens.ts";
import { SETTINGS } from "../../src/settings/environment.ts";
import { parseNetworks } from "../../src/settings/networks.ts";
import { printProblems, readSettings, type Settings } from "../../src/settings/settings.ts";

type Env = Record<string, string | undefined>;

function settingsFrom(env: Env): Settings {
  const read = readSettings(env);
  if ("problems" in read) throw new Error(printProblems(read.problems));
  return read.settings;
}

function problemsFrom(env: Env): readonly string[] {
  const read = readSettings(env);
  return "problems" in read ? read.problems : [];
}

function ruleOf(name: string): string {
  return SETTINGS.find((setting) => setting.name === name)?.rule ?? "";
}

const TOKEN = "0123456789abcdef";
const SECRET = "0123456789abcdef0123456789abcdef";

Deno.test("AUTH_TOKENS lists names, tokens, rights and, if they are not for everything, topics", () => {
  const tokens = [
    `me:${TOKEN}:admin`,
    "worker-1:a_token.with~all-of-them:publish+cancel:task:id:job-*",
    `ui:${"x".repeat(512)}:subscribe:task:tag:user-42*+task:id:a+data:prices`,
  ].join(" , ");
  assertEquals<unknown>(settingsFrom({ AUTH: "token", AUTH_TOKENS: tokens }).auth, {
    kind: "token",
    tokens: [
      { token: TOKEN, access: { subject: "me", rights: new Set(["admin"]), scope: Scope.of(["*"]) } },
      {
        token: "a_token.with~all-of-them",
        access: {
          subject: "worker-1",
          rights: new Set(["publish", "cancel"]),
          scope: Scope.of(["task:id:job-*"]),
        },
      },
      {
        token: "x".repeat(512),
        access: {
          subject: "ui",
          rights: new Set(["subscribe"]),
          scope: Scope.of(["task:tag:user-42*", "task:id:a", "data:prices"]),
        },
      },
    ],
  });
});

Deno.test("an entry of AUTH_TOKENS that breaks a rule refuses to start, and is not shown", () => {
  const other = TOKEN.toUpperCase();
  const wrong = [
    "me",
    `me:${TOKEN}`,
    `me:${TOKEN}:`,
    `:${TOKEN}:admin`,
    `me::admin`,
    `me and you:${TOKEN}:admin`,
    `${"m".repeat(65)}:${TOKEN}:admin`,
    `me:${TOKEN.slice(1)}:admin`,
    `me:${"x".repeat(513)}:admin`,
    `me:${TOKEN}/+:admin`,
    `me:${TOKEN} :admin`,
    `me:twt_${TOKEN}:admin`,
    `me:${TOKEN}:root`,
    `me:${TOKEN}:Admin`,
    `me:${TOKEN}:admin+`,
    `me:${TOKEN}:subscribe publish`,
    `me:${TOKEN}:__proto__`,
    `me:${TOKEN}:admin:`,
    `me:${TOKEN}:admin:nonsense`,
    `me:${TOKEN}:admin:task:tag:a+`,
    `me:${TOKEN}:admin:task:tag:a+b`,
    // Meant for the tags that begin with "a+"; it must not become everything.
    `me:${TOKEN}:admin:task:tag:a+*`,
    `me:${TOKEN}:admin:*+*`,
    `me:${TOKEN}:admin:${Array.from({ length: MAX_PATTERNS + 1 }, (_, i) => `task:id:t${i}`).join("+")}`,
    `me:${TOKEN}:admin,`,
    `,me:${TOKEN}:admin`,
    `me:${TOKEN}:admin,you:${TOKEN}:admin`,
    `me:${TOKEN}:admin,me:${other}:admin`,
    `me:${TOKEN}:admin;you:${other}:admin`,
    `me:${TOKEN}\n:admin`,
  ];
  for (const text of wrong) {
    const problems = problemsFrom({ AUTH: "token", AUTH_TOKENS: text });
    assertEquals(problems, [`AUTH_TOKENS (not shown) ${ruleOf("AUTH_TOKENS")}`], text);
  }
  const most = Array.from({ length: MAX_PATTERNS }, (_, i) => `task:id:t${i}`).join("+");
  settingsFrom({ AUTH: "token", AUTH_TOKENS: `me:${TOKEN}:admin:${most}` });
});

Deno.test("whatever AUTH_TOKENS is, it is refused or gives no more than it says", () => {
  const name = fc.constantFrom("me", "you", "", "a b");
  const token = fc.constantFrom(TOKEN, `${TOKEN}-2`, "short", `twt_${TOKEN}`);
  const rights = fc.array(fc.constantFrom(...RIGHTS, "root", ""), { minLength: 1, maxLength: 3 });
  const patterns = fc.option(
    fc.array(fc.constantFrom("*", "task:id:a", "task:tag:b*", "b", "task:tag:c", ""), {
      minLength: 1,
      maxLength: 3,
    }),
    { nil: undefined },
  );
  const entry = fc.tuple(name, token, rights, patterns);
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 3 }), (entries) => {
      const text = entries.map(([name, token, rights, patterns]) =>
        [name, token, rights.join("+"), ...(patterns === undefined ? [] : [patterns.join("+")])].join(":")
      ).join(",");
      const parsed = parseAuthTokens(text);
      if (parsed === undefined) return;
      assertEquals(
        parsed,
        entries.map(([subject, token, rights, patterns]) => ({
          token,
          // What was read is made of what there is.
          access: {
            subject,
            rights: new Set(RIGHTS.filter((right) => rights.includes(right))),
            scope: Scope.of(patterns ?? ["*"]),
          },
        })),
      );
      assert(entries.every(([, , , patterns = ["*"]]) => !patterns.includes("*") || patterns.length === 1));
      assertEquals(new Set(parsed.map(({ token }) => token)).size, parsed.length);
      assertEquals(new Set(parsed.map(({ access }) => access.subject)).size, parsed.length);
    }),
    { numRuns: 1_000 },
  );
  fc.assert(fc.property(fc.string(), (text) => assertEquals(parseAuthTokens(text), undefined)));
});

Deno.test("AUTH=jwt takes a secret, or the URL of keys, with what belongs to each", () => {
  assertEquals(settingsFrom({ AUTH: "jwt", JWT_SECRET: SECRET }).auth, {
    kind: "jwt",
    keys: { secret: SECRET },
    algorithms: ["HS256"],
    skewMs: 30_000,
  });
  const JWKS_URL = "https://id.example.org/keys?v=1";
  assertEquals(
    settingsFrom({
      AUTH: "jwt",
      JWKS_URL,
      JWT_ISSUER: " https://id.example.org/ ",
      JWT_AUDIENCE: "taskwire",
      JWT_SKEW: "0s",
      JWT_ALGORITHMS: "ES256, EdDSA",
    }).auth,
    {
      kind: "jwt",
      keys: { jwksUrl: JWKS_URL },
      algorithms: ["ES256", "EdDSA"],
      issuer: "https://id.example.org/",
      audience: "taskwire",
      skewMs: 0,
    },
  );
  const { auth } = settingsFrom({ AUTH: "jwt", JWKS_URL });
  assertEquals(auth.kind === "jwt" && auth.algorithms, ["RS256", "ES256", "EdDSA"]);
});

Deno.test("a way to let people in that lacks something, or has too much, refuses to start", () => {
  const JWKS_URL = "https://id.example.org/keys";
  const cases: readonly (readonly [Env, readonly string[]])[] = [
    [{ AUTH: "token" }, [
      "AUTH_TOKENS (unset) has to be set with AUTH=token; deno task cli token makes an entry",
    ]],
    [{ AUTH: "jwt" }, ['AUTH="jwt" takes one of JWT_SECRET and JWKS_URL with AUTH=jwt']],
    [{ AUTH: "jwt", JWT_SECRET: SECRET, JWKS_URL }, [
      'AUTH="jwt" takes one of JWT_SECRET and JWKS_URL with AUTH=jwt',
    ]],
    [{ AUTH: "jwt", AUTH_TOKENS: `me:${TOKEN}:admin` }, [
      'AUTH="jwt" takes one of JWT_SECRET and JWKS_URL with AUTH=jwt',
    ]],
    [{ AUTH: "maybe" }, ['AUTH="maybe" must be one of off, token, jwt']],
    [{ AUTH: "OFF" }, ['AUTH="OFF" must be one of off, token, jwt']],
    [{ JWT_SECRET: SECRET }, [
      "AUTH (unset) has to be said when AUTH_TOKENS, JWT_SECRET or JWKS_URL is set: token or jwt, or off",
    ]],
  ];
  for (const [env, problems] of cases) assertEquals(problemsFrom(env), problems);
  assertEquals(problemsFrom({ HOST: "0.0.0.0", AUTH: "token", AUTH_TOKENS: `me:${TOKEN}:admin` }), []);
  assertEquals(problemsFrom({ HOST: "0.0.0.0", AUTH: "jwt", JWT_SECRET: SECRET }), []);
});

Deno.test("a public key is never a secret: HS256 goes with JWT_SECRET, and the others with JWKS_URL", () => {
  const JWKS_URL = "https://id.example.org/keys";
  const rule =
    "must be HS256 alone with JWT_SECRET, and must not have it with JWKS_URL: a public key is no secret";
  for (const JWT_ALGORITHMS of ["HS256", "RS256,HS256", "HS256,EdDSA"]) {
    assertEquals(problemsFrom({ AUTH: "jwt", JWKS_URL, JWT_ALGORITHMS }), [
      `JWT_ALGORITHMS="${JWT_ALGORITHMS}" ${rule}`,
    ]);
  }
  for (const JWT_ALGORITHMS of ["RS256", "HS256,RS256", "ES256"]) {
    assertEquals(problemsFrom({ AUTH: "jwt", JWT_SECRET: SECRET, JWT_ALGORITHMS }), [
      `JWT_ALGORITHMS="${JWT_ALGORITHMS}" ${rule}`,
    ]);
  }
  settingsFrom({ AUTH: "jwt", JWT_SECRET: SECRET, JWT_ALGORITHMS: "HS256" });
  for (
    const JWT_ALGORITHMS of [
      "none",
      "None",
      "HS512",
      "PS256",
      "hs256",
      "RS256 ES256",
      "RS256,",
      ",",
      "RS256,none",
    ]
  ) {
    assertEquals(problemsFrom({ AUTH: "jwt", JWKS_URL, JWT_ALGORITHMS }), [
      `JWT_ALGORITHMS="${JWT_ALGORITHMS}" ${ruleOf("JWT_ALGORITHMS")}`,
    ]);
  }
});

Deno.test("keys come over https, or from this machine", () => {
  const good = [
    "https://id.example.org",
    "https://id.example.org:8443/a/b?c=d",
    "HTTPS://ID.example.org/",
    "http://localhost:8080/keys",
    "http://127.0.0.1/keys",
    "http://[::1]:8080/keys",
  ];
  for (const JWKS_URL of good) settingsFrom({ AUTH: "jwt", JWKS_URL, JWT_AUDIENCE: "a" });
  const bad = [
    "id.example.org",
    "//id.example.org",
    "http://id.example.org/keys",
    "http://127.0.0.1.example.org/keys",
    "http://localhost.example.org/keys",
    "http://10.0.0.1/keys",
    "https://me@id.example.org/keys",
    "https://:secret@id.example.org/keys",
    "file:///etc/keys",
    "data:application/json,{}",
    "ftp://id.example.org/keys",
    "javascript:1",
    "https://",
    "/keys",
  ];
  for (const JWKS_URL of bad) {
    const problems = problemsFrom({ AUTH: "jwt", JWKS_URL });
    assert(problems.length === 1 && problems[0]?.endsWith(ruleOf("JWKS_URL")), `${JWKS_URL}: ${problems}`);
    assert(!problems.join().includes("secret"));
  }
});

Deno.test("a secret is one line of 32 characters or more", () => {
  for (const JWT_SECRET of [SECRET, `${SECRET} with spaces and ümläute`, "x".repeat(4_096)]) {
    settingsFrom({ AUTH: "jwt", JWT_SECRET });
  }
  for (const JWT_SECRET of [SECRET.slice(1), `${SECRET}\n`, `${SECRET}\0`, "x".repeat(4_097)]) {
    assertEquals(problemsFrom({ AUTH: "jwt", JWT_SECRET }), [
      "JWT_SECRET (not shown) must be one line of 32 characters or more",
    ]);
  }
});

Deno.test("/metrics may have a token of its own, which is no ticket and no guess", () => {
  const env = { AUTH: "token", AUTH_TOKENS: `me:${TOKEN}:admin` };
  assertEquals(settingsFrom({ ...env, METRICS_TOKEN: SECRET }).metricsToken, SECRET);
  assertEquals(settingsFrom(env).metricsToken, undefined);
  for (
    const METRICS_TOKEN of ["short", `${TOKEN} `, `twt_${TOKEN}`, `${TOKEN}\n`, `${TOKEN}+`, "x".repeat(513)]
  ) {
    assertEquals(problemsFrom({ ...env, METRICS_TOKEN }), [
      `METRICS_TOKEN (not shown) ${ruleOf("METRICS_TOKEN")}`,
    ]);
  }
});

Deno.test("what looks like a protection and does nothing is pointed out", () => {
  const tokens = `me:${TOKEN}:admin`;
  const warnings = (env: Env) => readSettings(env).warnings;
  assertEquals(warnings({ AUTH: "off", AUTH_TOKENS: tokens, JWT_ISSUER: "i", METRICS_TOKEN: SECRET }), [
    "AUTH_TOKENS has no effect: AUTH=off lets everybody in",
    "JWT_ISSUER has no effect: AUTH=off lets everybody in",
    "METRICS_TOKEN has no effect: AUTH=off lets everybody in",
  ]);
  assertEquals(warnings({ METRICS_TOKEN: SECRET }), [
    "METRICS_TOKEN has no effect: AUTH=off lets everybody in",
  ]);
  assertEquals(warnings({ AUTH: "token", AUTH_TOKENS: tokens, JWT_SECRET: SECRET, JWT_AUDIENCE: "a" }), [
    "JWT_SECRET has no effect: AUTH=token does not read it",
    "JWT_AUDIENCE has no effect: AUTH=token does not read it",
  ]);
  assertEquals(warnings({ AUTH: "jwt", JWT_SECRET: SECRET, AUTH_TOKENS: tokens }), [
    "AUTH_TOKENS has no effect: AUTH=jwt does not read it",
  ]);
  assertEquals(warnings({ AUTH: "jwt", JWT_SECRET: SECRET, METRICS_TOKEN: SECRET }), []);
});

Deno.test("keys that others use too, without an audience asked for, are pointed out", () => {
  const env = { AUTH: "jwt", JWKS_URL: "https://id.example.org/keys" };
  assertEquals(readSettings(env).warnings, [
    "JWT_AUDIENCE is unset: a token that was made for any other program with these keys opens this one too",
  ]);
  assertEquals(readSettings({ ...env, JWT_AUDIENCE: "taskwire" }).warnings, []);
});

Deno.test("no secret is shown, whatever else is wrong with it or beside it", () => {
  const secret = "hunter2hunter2hunter2";
  const env = {
    AUTH: "token",
    AUTH_TOKENS: `me:${secret}:root,you:${secret}:admin`,
    JWT_SECRET: secret,
    METRICS_TOKEN: `${secret}+`,
    JWKS_URL: `https://${secret}:${secret}@id.example.org/`,
    NATS_PASSWORD: `${secret}\n`,
    PORT: "x",
  };
  for (const AUTH of ["token", "jwt", "off", "maybe", undefined]) {
    const read = readSettings({ ...env, AUTH });
    assert("problems" in read);
    const said = printProblems([...read.problems, ...read.warnings]);
    assert(!said.includes(secret), said);
    for (const name of ["AUTH_TOKENS", "JWT_SECRET", "METRICS_TOKEN", "NATS_PASSWORD"]) {
      assertStringIncludes(said, `${name} (not shown)`);
    }
  }
  assertEquals(
    SETTINGS.filter(({ name, secret }) => /TOKEN|SECRET|PASSWORD/.test(name) && secret !== true),
    [],
  );
});

Deno.test("how long one may take to show a token, and how far clocks may differ, are bounded", () => {
  const base = { AUTH: "jwt", JWT_SECRET: SECRET };
  assertEquals(settingsFrom({ ...base, AUTH_TIMEOUT: "100ms" }).authTimeoutMs, 100);
  for (const AUTH_TIMEOUT of ["0s", "99ms", "6m", "10"]) {
    assertEquals(problemsFrom({ AUTH_TIMEOUT }).length, 1);
  }
  for (const JWT_SKEW of ["301s", "6m", "1h", "-1s"]) {
    assertEquals(problemsFrom({ ...base, JWT_SKEW }).length, 1);
  }
});

Deno.test("trusted proxies are addresses and networks of both families", () => {
  const { trustedProxies } = settingsFrom({ TRUSTED_PROXIES: " 10.0.0.0/8, 192.0.2.7 ,2001:db8::/32,::1" });
  const cases: readonly (readonly [address: string, isTrusted: boolean])[] = [
    ["10.0.0.0", true],
    ["10.255.255.255", true],
    ["11.0.0.0", false],
    ["192.0.2.7", true],
    ["192.0.2.8", false],
    ["::ffff:10.1.2.3", true],
    ["::ffff:11.1.2.3", false],
    ["2001:db8::1", true],
    ["2001:DB8:ffff::1", true],
    ["2001:db9::1", false],
    ["::1", true],
    ["0:0:0:0:0:0:0:1", true],
    ["127.0.0.1", false],
    ["", false],
    ["10.0.0.1 ", false],
    ["10.0.0.1:80", false],
    ["010.0.0.1", false],
    ["10.1", false],
    ["unknown", false],
  ];
  for (const [address, isTrusted] of cases) assertEquals(trustedProxies?.has(address), isTrusted, address);
  assertEquals(settingsFrom({}).trustedProxies, undefined);
  assertEquals(parseNetworks("fe80::/10")?.has("fe80::1%eth0"), true);
  assertEquals(parseNetworks("128.0.0.0/1")?.has("203.0.113.1"), true);
});

Deno.test("what is no address and no network refuses to start", () => {
  const wrong = [
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0.0/8.0",
    "10.0.0.0/255.0.0.0",
    "10.0.0",
    "10.0.0.0/8,",
    "10.0.0.0/8 192.0.2.0/24",
    "2001:db8::/129",
    "fe80::1%eth0",
    "fe80::1%eth0/64",
    "[::1]",
    "localhost",
    "*",
    "unix",
    "/8",
    "0.0.0.0/0",
    "::/0",
  ];
  for (const text of wrong) {
    assertEquals(problemsFrom({ TRUSTED_PROXIES: text }), [
      `TRUSTED_PROXIES="${text}" ${ruleOf("TRUSTED_PROXIES")}`,
    ]);
  }
  fc.assert(fc.property(fc.oneof(fc.string(), fc.ipV4Extended(), fc.ipV6()), fc.string(), (address, rest) => {
    parseNetworks(`${address}${rest}`)?.has(address);
  }));
});

Deno.test("the token for /metrics is none of those that open more", () => {
  const env = { AUTH: "token", AUTH_TOKENS: `app:${SECRET}:subscribe` };
  assertEquals(problemsFrom({ ...env, METRICS_TOKEN: SECRET }), [
    "METRICS_TOKEN (not shown) must be another token than those of AUTH_TOKENS: it is for /metrics alone",
  ]);
  settingsFrom({ ...env, METRICS_TOKEN: `${SECRET}other` });
});
