import { assert, assertEquals, assertRejects } from "@std/assert";
import { exportJWK, type JWTHeaderParameters } from "jose";
import { AccessError } from "../../src/access/authenticator.ts";
import { JwksKeys, type JwksOptions } from "../../src/access/jwks_keys.ts";
import { JWT_ALGORITHMS, JwtTokens } from "../../src/access/jwt_tokens.ts";
import { eventually } from "../eventually.ts";
import { KeyServer } from "./key_server.ts";
import { GOOD, jwkOf, newPairs, NOW_MS, SECRET, signed } from "./signed.ts";

const [OLD, NEW] = [await newPairs(), await newPairs()];
const K1 = await jwkOf(OLD.ES256, { kid: "k1" });
const K2 = await jwkOf(NEW.ES256, { kid: "k2" });

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Judges tokens by the keys of `server`, by a clock that the test moves. */
class Bench {
  readonly server: KeyServer;
  readonly failures: unknown[] = [];
  readonly #tokens: JwtTokens;
  nowMs = NOW_MS;

  constructor(server: KeyServer, options: Partial<JwksOptions> = {}) {
    this.server = server;
    const now = () => this.nowMs;
    const failed = (error: unknown) => this.failures.push(error);
    const keys = new JwksKeys({ url: server.url, now, failed, ...options });
    this.#tokens = new JwtTokens({
      keysFor: (header) => keys.keysFor(header),
      algorithms: ["RS256", "ES256", "EdDSA"],
      skewMs: 2 * DAY_MS, // so that tokens outlive the tests' days
      now,
    });
  }

  /** `good`, or the code and the message of the refusal. */
  async judge(token: string): Promise<string> {
    try {
      await this.#tokens.authenticate(token);
      return "good";
    } catch (error) {
      assert(error instanceof AccessError, `${error}`);
      return `${error.code}: ${error.message}`;
    }
  }

  /** How often the server was asked; oftener than it was tried while it vanishes, as connections are tried anew. */
  get fetches(): number {
    return this.server.asked.length;
  }
}

const INVALID = "invalid: the token is not valid";
const UNAVAILABLE = "unavailable: tokens cannot be judged at present";

const byOld = (header: Partial<JWTHeaderParameters> = { kid: "k1" }) =>
  signed({ alg: "ES256", ...header }, GOOD, OLD.ES256.privateKey);
const byNew = () => signed({ alg: "ES256", kid: "k2" }, GOOD, NEW.ES256.privateKey);

Deno.test("the keys are asked for once, and stand for ten minutes", async () => {
  await using server = await KeyServer.having(K1);
  const bench = new Bench(server);
  for (let minute = 0; minute <= 10; minute++) {
    assertEquals(await bench.judge(await byOld()), "good");
    bench.nowMs += MINUTE_MS;
  }
  assertEquals([bench.fetches, bench.failures], [1, []]);
});

Deno.test("whoever comes at the same time waits for the same answer", async () => {
  await using server = await KeyServer.having(K1);
  const bench = new Bench(server);
  const token = await byOld();
  const judged = await Promise.all(Array.from({ length: 50 }, () => bench.judge(token)));
  assertEquals([new Set(judged), bench.fetches], [new Set(["good"]), 1]);
});

Deno.test("keys that have grown old are asked for beside the work, which the old ones serve meanwhile", async () => {
  await using server = await KeyServer.having(K1);
  const bench = new Bench(server);
  await bench.judge(await byOld());
  bench.nowMs += 11 * MINUTE_MS;
  const asked = Promise.withResolvers<() => void>();
  server.answer = (response) => asked.resolve(() => response.end(JSON.stringify({ keys: [K2] })));
  assertEquals(await bench.judge(await byOld()), "good");
  (await asked.promise)();
  await eventually("the new keys are there", async () => await bench.judge(await byNew()) === "good");
  assertEquals([await bench.judge(await byOld()), bench.fetches], [UNAVAILABLE, 2], "it may be back");
  server.serve(K2);
  bench.nowMs += 10_000;
  assertEquals([await bench.judge(await byOld()), bench.fetches], [INVALID, 3]);
});

Deno.test("a key that nobody knows yet is asked for at once, as after a rotation", async () => {
  await using server = await KeyServer.having(K1);
  const bench = new Bench(server);
  await bench.judge(await byOld());
  bench.nowMs += MINUTE_MS;
  server.serve(K1, K2);
  assertEquals([await bench.judge(await byNew()), bench.fetches], ["good", 2]);
  assertEquals([await bench.judge(await byOld()), bench.fetches], ["good", 2]);
});

Deno.test("a key that was taken away opens nothing once its absence is known", async () => {
  await using server = await KeyServer.having(K1, K2);
  const bench = new Bench(server);
  assertEquals(await bench.judge(await byOld()), "good");
  server.serve(K2);
  bench.nowMs += 11 * MINUTE_MS;
  await bench.judge(await byNew()); // has them asked for
  await eventually("they are there", async () => await bench.judge(await byOld()) === UNAVAILABLE);
  bench.nowMs += 10_000;
  assertEquals(await bench.judge(await byOld()), INVALID);
});

Deno.test("made-up names of keys have the server asked once in ten seconds, whoever makes them up", async () => {
  await using server = await KeyServer.having(K1);
  const bench = new Bench(server);
  await bench.judge(await byOld());
  const madeUp = await Promise.all(Array.from({ length: 200 }, (_, i) => byOld({ kid: `made-up-${i}` })));
  const judgeAll = () => Promise.all(madeUp.map((token) => bench.judge(token)));
  assertEquals(new Set(await judgeAll()), new Set([UNAVAILABLE]));
  assertEquals(bench.fetches, 1, "it was asked just now");
  bench.nowMs += 10_000;
  assertEquals(new Set(await judgeAll()), new Set([INVALID]));
  for (const token of madeUp) await bench.judge(token);
  assertEquals(bench.fetches, 2);
  bench.nowMs += 9_999;
  await judgeAll();
  assertEquals(bench.fetches, 2);
  assertEquals(await bench.judge(await byOld()), "good");
});

Deno.test("the last known keys stand for a day while nobody answers, and then nothing can be judged", async () => {
  await using server = await KeyServer.having(K1);
  const bench = new Bench(server);
  await bench.judge(await byOld());
  server.vanish();
  for (let hour = 1; hour <= 24; hour++) {
    bench.nowMs += HOUR_MS;
    assertEquals(await bench.judge(await byOld()), "good", `after ${hour} h`);
    await eventually("the failure is told", () => bench.failures.length === hour);
  }
  bench.nowMs += 1;
  assertEquals(await bench.judge(await byOld()), UNAVAILABLE, "it was asked just now");
  bench.nowMs += 10_000;
  assertEquals([await bench.judge(await byOld()), bench.failures.length], [UNAVAILABLE, 25]);
  server.serve(K1);
  bench.nowMs += 10_000;
  assertEquals(await bench.judge(await byOld()), "good");
});

Deno.test("while nobody answers, a key that nobody knows may be a new one: it cannot be judged", async () => {
  await using server = await KeyServer.having(K1);
  const bench = new Bench(server);
  await bench.judge(await byOld());
  server.vanish();
  bench.nowMs += MINUTE_MS;
  assertEquals(await bench.judge(await byNew()), UNAVAILABLE);
  assertEquals(await bench.judge(await byNew()), UNAVAILABLE);
  assertEquals([await bench.judge(await byOld()), bench.failures.length], ["good", 1]);
  server.serve(K1);
  bench.nowMs += MINUTE_MS;
  assertEquals(await bench.judge(await byNew()), INVALID);
  assertEquals(await bench.judge(await byNew()), INVALID, "also when it is not asked again so soon");
});

Deno.test("where there were no keys from the start nothing can be judged, and later it heals", async () => {
  await using server = await KeyServer.having();
  server.vanish();
  const bench = new Bench(server);
  assertEquals([await bench.judge(await byOld()), bench.failures.length], [UNAVAILABLE, 1]);
  assertEquals([await bench.judge(await byOld()), bench.failures.length], [UNAVAILABLE, 1]);
  server.serve(K1);
  bench.nowMs += 9_999;
  assertEquals(await bench.judge(await byOld()), UNAVAILABLE);
  bench.nowMs += 1;
  assertEquals([await bench.judge(await byOld()), bench.failures.length], ["good", 1]);
});

Deno.test("a port at which nobody listens is an outage like any other", async () => {
  const server = await KeyServer.having(K1);
  const bench = new Bench(server);
  const { url } = server;
  await server[Symbol.asyncDispose]();
  const failures: unknown[] = [];
  const keys = new JwksKeys({ url, now: () => bench.nowMs, failed: (error) => failures.push(error) });
  const { code } = await assertRejects(() => keys.keysFor({ alg: "ES256", kid: "k1" }), AccessError);
  assertEquals([code, failures.length], ["unavailable", 1]);
});

Deno.test("what is no key set is an outage too: none of it is taken, and what was known stands", async () => {
  const wrong: readonly (readonly [string, (server: KeyServer) => void])[] = [
    ["not JSON", (server) => server.say("<html>")],
    ["nothing", (server) => server.say("")],
    ["JSON that is none", (server) => server.say('{"keys":{}}')],
    ["no list of objects", (server) => server.say('{"keys":[1]}')],
    ["a member without a kind", (server) => server.say('{"keys":[{"kid":"k1"}]}')],
    ["a list alone", (server) => server.say(JSON.stringify([K1]))],
    ["null", (server) => server.say("null")],
    [
      "not found",
      (server) => server.answer = (response) => response.writeHead(404).end(JSON.stringify({ keys: [K2] })),
    ],
    [
      "an error",
      (server) => server.answer = (response) => response.writeHead(500).end(JSON.stringify({ keys: [K2] })),
    ],
    [
      "another place",
      (server) => server.answer = (response) => response.writeHead(302, { location: "/elsewhere" }).end(),
    ],
    [
      "half an answer",
      (server) =>
        server.answer = (response) => {
          response.writeHead(200, { "content-length": "5000" });
          response.write('{"keys":[', () => response.destroy());
        },
    ],
    ["too much", (server) => server.say(JSON.stringify({ keys: [K2], more: "x".repeat(300_000) }))],
  ];
  for (const [what, answer] of wrong) {
    await using server = await KeyServer.having(K1);
    const bench = new Bench(server);
    await bench.judge(await byOld());
    answer(server);
    bench.nowMs += MINUTE_MS;
    assertEquals(await bench.judge(await byNew()), UNAVAILABLE, what);
    assertEquals([await bench.judge(await byOld()), bench.failures.length], ["good", 1], what);
    assertEquals(server.asked, ["/keys", "/keys"], `${what}: nowhere else is asked`);
  }
});

Deno.test("an answer without an end is left once it is too large", async () => {
  await using server = await KeyServer.having();
  let sent = 0;
  server.answer = (response) => {
    response.writeHead(200);
    const more = () => {
      if (response.destroyed) return;
      sent++;
      response.write(" ".repeat(65_536), more);
    };
    more();
  };
  const bench = new Bench(server);
  assertEquals(await bench.judge(await byOld()), UNAVAILABLE);
  assert(bench.failures.length === 1 && sent < 1_000, `${sent} pieces`);
});

Deno.test("a server that hangs is waited for no longer than was said, before its answer and amid it", async () => {
  await using server = await KeyServer.having();
  const bench = new Bench(server, { timeoutMs: 100 });
  server.answer = () => {};
  assertEquals(await bench.judge(await byOld()), UNAVAILABLE);
  bench.nowMs += MINUTE_MS;
  server.answer = (response) => response.write('{"keys":');
  assertEquals(await bench.judge(await byOld()), UNAVAILABLE);
  bench.nowMs += MINUTE_MS;
  server.serve(K1);
  assertEquals([await bench.judge(await byOld()), bench.failures.length], ["good", 2]);
});

Deno.test("a member that is no key of ours is passed over, and one that cannot be read harms no other", async () => {
  const others = [
    { kty: "oct", k: "c2VjcmV0", kid: "k1", alg: "HS256" },
    { kty: "quantum", kid: "k1" },
    { ...K1, use: "enc" },
    { ...await jwkOf(OLD.RS256), kid: "k1" },
    { kty: "EC", kid: "worse", crv: "P-256" },
    { kty: "EC", kid: "worst", crv: "P-256", x: 7, y: {} },
    { ...K2, kid: "odd", key_ops: "verify" },
  ];
  await using server = await KeyServer.having();
  server.say(JSON.stringify({ keys: [...others, null, { kid: "k1" }, K1] }));
  const bench = new Bench(server);
  assertEquals(await bench.judge(await byOld()), "good");
  bench.nowMs += MINUTE_MS;
  assertEquals(await bench.judge(await byOld({ kid: "odd" })), INVALID);
  for (const kid of ["worse", "worst"]) {
    assertEquals(await bench.judge(await byOld({ kid })), UNAVAILABLE, "it may be mended some day");
  }
  assertEquals(await bench.judge(await signed({ alg: "HS256", kid: "k1" }, GOOD, SECRET)), INVALID);
});

Deno.test("a symmetric key, or a private one, is no public key", async () => {
  const secret = { kty: "oct", k: SECRET.toBase64({ alphabet: "base64url", omitPadding: true }), kid: "s" };
  await using server = await KeyServer.having(secret, { ...await exportJWK(OLD.ES256.privateKey), kid: "p" });
  const keys = new JwksKeys({ url: server.url, now: () => NOW_MS });
  const by = new JwtTokens({
    keysFor: (header) => keys.keysFor(header),
    algorithms: JWT_ALGORITHMS,
    skewMs: 0,
    now: () => NOW_MS,
  });
  const shown = [await signed({ alg: "HS256", kid: "s" }, GOOD, SECRET), await byOld({ kid: "p" })];
  for (const token of shown) {
    assertEquals(
      (await assertRejects(() => by.authenticate(token), AccessError)).message,
      "the token is not valid",
    );
  }
});

Deno.test("a token that brings its own key, or says where one is, is judged by ours, and nobody is asked there", async () => {
  await using server = await KeyServer.having(K1);
  await using evil = await KeyServer.having(K2, { ...K2, kid: "k1" });
  const bench = new Bench(server);
  const headers: readonly JWTHeaderParameters[] = [
    { alg: "ES256", kid: "k1", jku: evil.url },
    { alg: "ES256", kid: "k2", jku: evil.url },
    { alg: "ES256", kid: evil.url },
    { alg: "ES256", kid: "k1", jwk: K2 },
    { alg: "ES256", jwk: K2 },
    { alg: "ES256", kid: "k1", x5u: evil.url },
    { alg: "ES256", kid: "k1", x5c: ["AAAA"], x5t: "AAAA" },
    { alg: "ES256", kid: "../../keys" },
  ];
  for (const header of headers) {
    bench.nowMs += MINUTE_MS;
    assertEquals(
      await bench.judge(await signed(header, GOOD, NEW.ES256.privateKey)),
      INVALID,
      JSON.stringify(header),
    );
    assertEquals(await bench.judge(await byOld({ ...header, kid: "k1" })), "good");
  }
  assertEquals([evil.asked, new Set(server.asked)], [[], new Set(["/keys"])]);
});

Deno.test("a clock that was set back has the keys asked for again rather than never", async () => {
  await using server = await KeyServer.having(K1);
  const bench = new Bench(server);
  await bench.judge(await byOld());
  bench.nowMs -= HOUR_MS;
  server.serve(K1, K2);
  assertEquals([await bench.judge(await byNew()), bench.fetches], ["good", 2]);
});

Deno.test("a key that came after the last question cannot be judged until the next, and is good then", async () => {
  await using server = await KeyServer.having(K1);
  const bench = new Bench(server);
  await bench.judge(await byOld());
  server.serve(K1, K2);
  bench.nowMs += 9_999;
  for (let i = 0; i < 3; i++) assertEquals(await bench.judge(await byNew()), UNAVAILABLE);
  bench.nowMs += 1;
  assertEquals([await bench.judge(await byNew()), bench.fetches], ["good", 2]);
});

Deno.test("a made-up name of a key is one as soon as it was asked for, and costs no question of its own", async () => {
  await using server = await KeyServer.having(K1);
  const bench = new Bench(server);
  await bench.judge(await byOld());
  const madeUp = await byOld({ kid: "made-up" });
  assertEquals(await bench.judge(madeUp), UNAVAILABLE);
  bench.nowMs += 10_000;
  assertEquals([await bench.judge(madeUp), bench.fetches], [INVALID, 2]);
  bench.nowMs += 5_000;
  assertEquals([await bench.judge(madeUp), bench.fetches], [INVALID, 2], "nor is it forgotten");
  assertEquals(await bench.judge(await byOld({ kid: "another" })), UNAVAILABLE);
  const ofAnotherKind = await signed({ alg: "RS256", kid: "k1" }, GOOD, NEW.RS256.privateKey);
  assertEquals(await bench.judge(ofAnotherKind), INVALID, "that name is there");
});

Deno.test("where several keys fit a token that names none, each is tried, eight at most", async () => {
  const nameless = (n: number) => jwkOf(n === 0 ? NEW.ES256 : OLD.ES256);
  const others = await Promise.all(Array.from({ length: 7 }, () => nameless(1)));
  await using server = await KeyServer.having(await jwkOf(NEW.RS256), ...others, await nameless(0));
  const bench = new Bench(server);
  const byNobody = await signed({ alg: "ES256" }, GOOD, (await newPairs()).ES256.privateKey);
  const token = await signed({ alg: "ES256" }, GOOD, NEW.ES256.privateKey);
  assertEquals(await bench.judge(token), "good");
  assertEquals(await bench.judge(byNobody), INVALID);
  assertEquals(await bench.judge(await signed({ alg: "RS256" }, GOOD, NEW.RS256.privateKey)), "good");
  const late = await KeyServer.having(...others, await nameless(1), await nameless(0));
  assertEquals(await new Bench(late).judge(token), INVALID);
  await late[Symbol.asyncDispose]();
});

Deno.test("of several keys that fit, one of no use hides none of the others", async () => {
  const tooShort = { kty: "RSA", n: "AQAB", e: "AQAB" };
  await using server = await KeyServer.having(tooShort, await jwkOf(NEW.RS256));
  const bench = new Bench(server);
  assertEquals(await bench.judge(await signed({ alg: "RS256" }, GOOD, NEW.RS256.privateKey)), "good");
  assertEquals(await bench.judge(await signed({ alg: "RS256" }, GOOD, OLD.RS256.privateKey)), INVALID);
});

Deno.test("of several keys that fit, the one that signed has the last word", async () => {
  await using server = await KeyServer.having(await jwkOf(NEW.ES256), await jwkOf(OLD.ES256));
  const bench = new Bench(server);
  bench.nowMs += 3 * DAY_MS;
  assertEquals(await bench.judge(await byOld({})), "expired: the token has expired");
});
