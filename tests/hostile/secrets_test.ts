import { assert, assertEquals } from "@std/assert";
import { base64url, signed } from "../access/signed.ts";
import { eventually } from "../eventually.ts";
import { GatewayProcess } from "../gateway/gateway_process.ts";
import { TestClient } from "../websocket_client.ts";
import { processWith } from "./process_memory.ts";
import { utf8 } from "./raw_bytes.ts";
import { exchange, requestOf, upgradeOf } from "./raw_http.ts";
import { SpanCollector } from "./span_collector.ts";
import { WAYS } from "./ways_in.ts";

/** What a gateway is not to tell of: all of them, and those among them that were shown in the query of a URL. */
type Secrets = { readonly all: Set<string>; readonly inUrls: Set<string> };

/** Makes a token, another each time. */
type Mint = () => string | Promise<string>;

const JWT_SECRET = "a secret of this test, of 32 characters and more";
const METRICS_TOKEN = "metrics-token-0123456789abc";

let minted = 0;
async function jwt(seconds: number): Promise<string> {
  const exp = Math.floor(Date.now() / 1_000) + seconds;
  const claims = { sub: "ann", exp, rights: ["admin"], topics: ["task:*"], jti: `token ${++minted}` };
  return await signed({ alg: "HS256" }, claims, utf8(JWT_SECRET));
}

async function spoilt(): Promise<string> {
  return `${(await jwt(60)).slice(0, -6)}AAAAAA`;
}

const NAMES = Array.from({ length: 24 }, (_, i) => `static-token-${i}-of-the-settings`);

/** The ways in which a secret could be written. */
function* spellingsOf(secret: string): Iterable<string> {
  yield secret;
  yield encodeURIComponent(secret);
  yield utf8(secret).toHex();
  yield base64url(secret);
  // As a part of something longer: at each of three places in the groups of base64.
  for (const [before, from] of [[0, 0], [1, 2], [2, 3]] as const) {
    const bytes = utf8("x".repeat(before) + secret);
    const whole = Math.floor(bytes.length / 3) * 4;
    for (const alphabet of ["base64", "base64url"] as const) {
      yield bytes.toBase64({ alphabet }).slice(from, whole);
    }
  }
}

/** What of a secret is one by itself: of a JWT the signature, without which the rest is of no use. */
function partsOf(secret: string): readonly string[] {
  const [, , signature] = secret.split(".");
  return signature === undefined ? [secret] : [secret, signature];
}

function holdsNone(where: string, text: string, secrets: Iterable<string>): void {
  for (const secret of secrets) {
    for (const part of partsOf(secret)) {
      for (const spelling of spellingsOf(part)) {
        assert(!text.includes(spelling), `${where} tells of a secret: …${around(text, spelling)}…`);
      }
    }
  }
}

function around(text: string, spelling: string): string {
  const at = text.indexOf(spelling);
  return text.slice(Math.max(0, at - 100), at + spelling.length + 20);
}

/** Shows tokens of each kind, good and bad, in every way that there is, and some that there are not; what was answered. */
async function useEverywhere(
  gateway: GatewayProcess,
  mints: readonly Mint[],
  secrets: Secrets,
): Promise<string> {
  const { port } = gateway;
  const answers: string[] = [];
  const made = async (mint: Mint, inUrl = false): Promise<string> => {
    const token = await mint();
    secrets.all.add(token);
    if (inUrl) secrets.inUrls.add(token);
    return token;
  };
  for (const mint of mints) {
    for (const [name, way] of Object.entries(WAYS)) {
      const token = await made(mint, name.includes("?"));
      answers.push(JSON.stringify(await way(port, token)), JSON.stringify(await way(port, token)));
    }
    const shown = await made(mint);
    const inUrl = await made(mint, true);
    const asked = [
      requestOf(`GET /api/tasks?token=${inUrl} HTTP/1.1`),
      requestOf(`GET /nowhere/${inUrl} HTTP/1.1`),
      requestOf(`GET /api/tasks/${inUrl} HTTP/1.1`, { Authorization: `Bearer ${shown}` }),
      requestOf("GET /api/tasks HTTP/1.1", { Authorization: shown }),
      requestOf("GET /api/tasks HTTP/1.1", { Authorization: `Basic ${btoa(shown)}` }),
      requestOf("GET /api/tasks HTTP/1.1", { Authorization: `Bearer ${shown}, Bearer ${shown}` }),
      requestOf("GET /api/tasks HTTP/1.1", { Cookie: `token=${shown}`, Host: "a b" }),
      requestOf("BREW /api/tasks HTTP/1.1", { Authorization: `Bearer ${shown}` }),
      requestOf("POST /api/tasks/a/events HTTP/1.1", {
        Authorization: `Bearer ${shown}`,
        "Content-Type": "application/json",
        "Content-Length": "1",
      }, "{"),
      upgradeOf(`/ws/nowhere?token=${inUrl}`, { Authorization: `Bearer ${shown}` }),
      upgradeOf("/ws", { Origin: `https://${shown.replaceAll(/[^a-z0-9]/gi, "")}.test` }),
      upgradeOf("/ws", { "Sec-WebSocket-Protocol": `taskwire.bearer.${base64url(shown)}!` }),
    ];
    for (const bytes of asked) {
      const answer = await exchange(port, bytes);
      answers.push(JSON.stringify([answer?.status, [...answer?.headers ?? []], answer?.body]));
    }
    await using client = await TestClient.connect(`ws://127.0.0.1:${port}/ws`);
    for (const frame of [{ type: "auth" }, { type: "ping" }, { type: "none" }]) {
      client.send({ ...frame, id: "q", data: { token: shown, Token: [shown] } });
    }
    await client.until((frames) => frames.length > 0);
    await client.close();
    answers.push(...client.frames.map((frame) => JSON.stringify(frame)));
  }
  return answers.join("\n");
}

/** Tickets, used and not; each is a secret until it was used. */
function ticketsOf(gateway: GatewayProcess, mint: Mint): Mint {
  return async () => {
    const answer = await fetch(`${gateway.url}/api/tickets`, {
      method: "POST",
      headers: { authorization: `Bearer ${await mint()}` },
    });
    const { ticket }: { ticket: string } = await answer.json();
    return ticket;
  };
}

const SPANS = /"resourceSpans"/;

/** The spans that are ours; Deno makes one for each request too, with its URL. */
function oursOf(bodies: readonly string[]): string {
  type Exported = { resourceSpans: { scopeSpans: { scope?: { name?: string } }[] }[] };
  return JSON.stringify(
    bodies.filter((body) => SPANS.test(body)).flatMap((body) => {
      const { resourceSpans }: Exported = JSON.parse(body);
      return resourceSpans.flatMap(({ scopeSpans }) =>
        scopeSpans.filter(({ scope }) => scope?.name !== "deno")
      );
    }),
  );
}

const MODES: Readonly<
  Record<
    string,
    { readonly settings: Record<string, string>; readonly good: Mint; readonly bad: readonly Mint[] }
  >
> = {
  "AUTH=jwt": {
    settings: { AUTH: "jwt", JWT_SECRET, JWT_SKEW: "0s", METRICS_TOKEN },
    good: () => jwt(600),
    bad: [() => jwt(-60), spoilt, () => "guessed-guessed-guessed-1"],
  },
  "AUTH=token": {
    settings: {
      AUTH: "token",
      AUTH_TOKENS: NAMES.map((token, i) => `name${i}:${token}:admin`).join(","),
      METRICS_TOKEN,
    },
    good: () => NAMES[++minted % NAMES.length] ?? "",
    bad: [() => `guessed-guessed-guessed-${++minted}`, () => `${NAMES[0]?.slice(0, -1)}X${++minted}`],
  },
};

/** Deno 2.9 sends what is left to be exported when it is told to end, and once in fifty times waits for that for ever. */
async function onGateway(
  settings: Readonly<Record<string, string>>,
  use: (gateway: GatewayProcess) => Promise<void>,
): Promise<void> {
  const dataDir = await Deno.makeTempDir({ prefix: "taskwire-hostile-" });
  const gateway = new GatewayProcess(dataDir, { settings });
  try {
    await gateway.start();
    await use(gateway);
  } finally {
    await gateway.kill();
    await Deno.remove(dataDir, { recursive: true });
  }
}

for (const [mode, { settings, good, bad }] of Object.entries(MODES)) {
  Deno.test(`${mode}: no token, ticket or secret is in anything that a gateway says, measures or traces`, async () => {
    await using collector = new SpanCollector();
    const limits = { REQUESTS_PER_SECOND: "100000", REQUESTS_BURST: "100000" };
    const all = { ...settings, ...collector.settings, ...limits, LOG_LEVEL: "debug" };
    await onGateway(all, async (gateway) => {
      const secrets: Secrets = { all: new Set([JWT_SECRET, METRICS_TOKEN, ...NAMES]), inUrls: new Set() };
      // In AUTH=token a good token is the same wherever it is shown, so that those in URLs cannot be told from the others.
      const mints = [...mode === "AUTH=jwt" ? [good] : [], ...bad, ticketsOf(gateway, good)];
      const answers = await useEverywhere(gateway, mints, secrets);
      const shown = [good, ...bad];
      for (const mint of shown) {
        const token = await mint();
        secrets.all.add(token);
        for (const name of ["sub-protocol", "Authorization", "auth frame", "HTTP"]) {
          await WAYS[name]?.(gateway.port, token);
        }
      }
      const metrics = await fetch(`${gateway.url}/metrics`, {
        headers: { authorization: `Bearer ${METRICS_TOKEN}` },
      });
      const text = await metrics.text();
      assertEquals(metrics.status, 200);
      holdsNone("an answer", answers, secrets.all);
      holdsNone("/metrics", text, secrets.all);
      holdsNone("the log", gateway.said, secrets.all);
      const title = await (await processWith("DATA_DIR", gateway.dataDir))?.title();
      if (title !== undefined) assert(title.includes("main.ts"));
      holdsNone("the process's title", title ?? "", secrets.all);
      await eventually("connections are traced", () => /"name":"connection"/.test(oursOf(collector.bodies)));
      await eventually("metrics are exported", () => collector.bodies.some((body) => !SPANS.test(body)));
      holdsNone("a span of ours", oursOf(collector.bodies), secrets.all);
      const elsewhere = [...secrets.all].filter((secret) => !secrets.inUrls.has(secret));
      assert(elsewhere.length > 10 && secrets.inUrls.size > 5);
      holdsNone("what is exported", collector.bodies.join("\n"), elsewhere);
      const others = collector.bodies.filter((body) => !SPANS.test(body)).join("\n");
      holdsNone("an exported metric or log", others, secrets.all);
    });
  });
}

Deno.test("a secret is found in whatever spelling it is told", () => {
  const secret = "twt_XOBy2XAdT5gLJ9SLFBmiGay7ezvkDylXqDYhtilcm52b8oYoA-A8r0";
  const told = [
    secret,
    `x=${encodeURIComponent(`${secret}/`)}`,
    utf8(`a${secret}`).toHex(),
    ...["", "a", "ab"].map((before) => btoa(`${before}${secret}and more`)),
  ];
  for (const text of told) {
    let found = false;
    try {
      holdsNone("it", text, [secret]);
    } catch {
      found = true;
    }
    assert(found, text);
  }
});
