import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SETTINGS } from "../../src/settings/environment.ts";
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

Deno.test("a fresh machine needs no setting", () => {
  assertEquals(readSettings({}), {
    settings: {
      host: "127.0.0.1",
      port: 8000,
      dataDir: "./data",
      dataMaxBytes: 10_737_418_240,
      survives: "disk",
      stream: "TASKWIRE",
      subjectPrefix: "taskwire",
      streamReplicas: 1,
      retainAgeMs: 7 * 86_400_000,
      retainPerSubject: 1000,
      dedupWindowMs: 120_000,
      auth: { kind: "off" },
      authTimeoutMs: 10_000,
      allowedOrigins: "same-host",
      maxConnections: 50_000,
      maxConnectionsPerClient: 16,
      maxConnectionsPerAddress: 1000,
      maxConnectionsPerSubject: 1000,
      handshakesPerSecond: 100,
      handshakesBurst: 1000,
      requestsPerSecond: 1000,
      requestsBurst: 2000,
      maxReplays: 64,
      maxMessageBytes: 65_536,
      compression: true,
      maxTopics: 256,
      messagesPerSecond: 50,
      messagesBurst: 100,
      flushMs: 20,
      heartbeatMs: 30_000,
      idleMs: 75_000,
      staleAfterMs: 30_000,
      reapAfterMs: 0,
      drainMs: 15_000,
      maxTasks: 200_000,
      tailEvents: 65_536,
      tailBytes: 33_554_432,
      plugins: [],
      logLevel: "info",
    },
    warnings: [],
  });
});

Deno.test("one error names every bad setting with its value and its rule", () => {
  const problems = problemsFrom({
    PORT: "80 80",
    FLUSH_MS: "0",
    RETAIN_AGE: "a week",
    STREAM: "no.dots",
    STREAM_REPLICAS: "six",
    NATS_URL: "http://nats:4222",
    ALLOWED_ORIGINS: "app.example.org",
    LOG_LEVEL: "loud",
  });
  assertEquals(problems, [
    'PORT="80 80" must be a whole number from 0 to 65535',
    'NATS_URL="http://nats:4222" must be nats:// or tls:// URLs, or ws:// or wss:// URLs, comma-separated, ' +
    "without user or password (they are NATS_USER and NATS_PASSWORD)",
    'STREAM="no.dots" must be 1–64 of A-Za-z0-9_-',
    'STREAM_REPLICAS="six" must be a whole number from 1 to 5',
    'RETAIN_AGE="a week" must be a duration such as 7d, 12h, 30m, 45s or 500ms, from 1s to 3650d',
    'ALLOWED_ORIGINS="app.example.org" must be origins such as https://app.example.org, comma-separated, or *',
    'FLUSH_MS="0" must be a whole number from 1 to 60000',
    'LOG_LEVEL="loud" must be one of debug, info, warn, error',
  ]);
  const printed = printProblems(problems).split("\n");
  assertEquals(printed.length, 1 + problems.length);
});

Deno.test("a number is decimal digits and nothing else", () => {
  for (const value of ["-1", "+1", "1.5", "1e3", "0x10", "1_000", "٣", "99999999999999999999", "NaN"]) {
    assertEquals(problemsFrom({ PORT: value }).length, 1, value);
  }
});

Deno.test("durations know ms, s, m, h and d", () => {
  const ages = ["1000ms", "45s", "30m", "12h", "7d"];
  assertEquals(
    ages.map((age) => settingsFrom({ RETAIN_AGE: age, DEDUP_WINDOW: "1s" }).retainAgeMs),
    [1_000, 45_000, 1_800_000, 43_200_000, 604_800_000],
  );
  for (const age of ["7", "7w", "d", "1.5h", "-1s", "7 d", "3651d", "999ms"]) {
    assertEquals(problemsFrom({ RETAIN_AGE: age, DEDUP_WINDOW: "100ms" }).length, 1, age);
  }
});

Deno.test("a partition is one of those there are, and takes NATS", () => {
  const nats = { NATS_URL: "nats://127.0.0.1:4222" };
  assertEquals(settingsFrom({ ...nats, PARTITION: "2/4" }).partition, { partition: 2, partitions: 4 });
  for (const value of ["4/4", "-1/4", "2", "1/0", "1/1001", "a/b", "2 / 4"]) {
    assertEquals(problemsFrom({ ...nats, PARTITION: value }).length, 1, value);
  }
  assertEquals(problemsFrom({ PARTITION: "2/4" }), [
    'PARTITION="2/4" goes together with NATS_URL: the embedded log has no partitions',
  ]);
});

Deno.test("empty and blank settings are unset ones, and space around a value does not matter", () => {
  assertEquals(readSettings({ PORT: "", HOST: " ", NATS_URL: "" }), readSettings({}));
  assertEquals(settingsFrom({ PORT: " 9000\n" }).port, 9000);
});

Deno.test("a host that is not loopback needs AUTH said outright", () => {
  for (
    const HOST of ["0.0.0.0", "::", "192.0.2.1", "gateway", "127.0.0.1.example.org", "127.0.0", "127.0.0.256"]
  ) {
    assertEquals(problemsFrom({ HOST }), [
      `HOST="${HOST}" is not this machine alone, so AUTH has to be said: token or jwt, or off, ` +
      "whoever reaches it then may do everything",
    ]);
    assertEquals(settingsFrom({ HOST, AUTH: "off" }).host, HOST);
  }
  for (const HOST of ["127.0.0.1", "127.8.9.10", "localhost", "::1"]) settingsFrom({ HOST });
});

Deno.test("tokens and keys without a word on AUTH refuse to start, and with AUTH=off they are told to do nothing", () => {
  for (
    const env of [{ AUTH_TOKENS: "me:s3cret-s3cret-s3cret:admin" }, { JWT_SECRET: "s".repeat(32) }, {
      JWKS_URL: "https://example.org",
    }]
  ) {
    assertEquals(problemsFrom(env), [
      "AUTH (unset) has to be said when AUTH_TOKENS, JWT_SECRET or JWKS_URL is set: token or jwt, or off",
    ]);
    const read = readSettings({ ...env, AUTH: "off" });
    assertEquals(read.warnings, [`${Object.keys(env)[0]} has no effect: AUTH=off lets everybody in`]);
    assert("settings" in read);
  }
});

Deno.test("secrets are never shown", () => {
  const secret = "hunter2hunter2";
  const env = {
    AUTH: "maybe",
    AUTH_TOKENS: `me:${secret}\n:admin`,
    JWT_SECRET: `${secret}\0`,
    NATS_TOKEN: `${secret}\r`,
    NATS_USER: "u",
    NATS_PASSWORD: `${secret}\n`,
    NATS_URL: `nats://${secret},:${secret}@host:4222`,
    JWKS_URL: `https://u:${secret}@example.org`,
  };
  const read = readSettings(env);
  assert("problems" in read);
  const said = [...read.problems, ...read.warnings].join("\n");
  assert(!said.includes(secret), said);
  for (const name of Object.keys(env).filter((name) => name !== "NATS_USER")) {
    assertStringIncludes(said, name);
  }
  assertStringIncludes(said, "NATS_PASSWORD (not shown) must be one line of text");
  assertStringIncludes(said, 'NATS_URL="…@host:4222"');
});

Deno.test("a value that is shown stays on its line and is short", () => {
  const [problem] = problemsFrom({ LOG_LEVEL: `x\nPORT="1" is fine\u001b[2J${"y".repeat(1000)}` });
  assert(problem !== undefined && problem.length < 200);
  assert(!problem.includes("\n") && !problem.includes("\u001b"));
});

Deno.test("NATS_URL takes several servers of one family, and one login", () => {
  assertEquals(settingsFrom({ NATS_URL: "nats://a:4222, tls://b:4222" }).nats, {
    transport: "tcp",
    servers: ["nats://a:4222", "tls://b:4222"],
    tls: true,
    login: { kind: "none" },
    inboxPrefix: "_INBOX",
  });
  assertEquals(
    settingsFrom({ NATS_URL: "ws://[::1]:8080/nats", NATS_USER: "u", NATS_PASSWORD: " p " }).nats,
    {
      transport: "ws",
      servers: ["ws://[::1]:8080/nats"],
      tls: false,
      login: { kind: "user", user: "u", password: " p " },
      inboxPrefix: "_INBOX",
    },
  );
  const NATS_URL = "wss://nats.example.org";
  assertEquals(settingsFrom({ NATS_URL, NATS_CREDS: "/etc/c" }).nats?.login, {
    kind: "creds",
    file: "/etc/c",
  });
  assertEquals(settingsFrom({ NATS_URL, NATS_NKEY_SEED: "k" }).nats?.login, { kind: "nkey", file: "k" });
  assertEquals(settingsFrom({ NATS_URL, NATS_TOKEN: "t" }).nats?.login, { kind: "token", token: "t" });
  for (
    const bad of [
      "localhost:4222",
      "nats://a,ws://b",
      "nats://",
      "nats://a,,nats://b",
      "nats://u:p@a",
      "mqtt://a",
    ]
  ) {
    assertEquals(problemsFrom({ NATS_URL: bad }).length, 1, bad);
  }
  assertEquals(problemsFrom({ NATS_URL, NATS_TOKEN: "t", NATS_CREDS: "c" }), [
    'NATS_URL="wss://nats.example.org" takes one login: NATS_CREDS, NATS_USER, NATS_TOKEN or NATS_NKEY_SEED',
  ]);
  assertEquals(problemsFrom({ NATS_URL, NATS_USER: "u" }), [
    "NATS_PASSWORD (unset) goes together with NATS_USER",
  ]);
  assertEquals(readSettings({ NATS_TOKEN: "t" }).warnings, ["NATS_TOKEN has no effect: NATS_URL is unset"]);
});

Deno.test("origins are spelled as browsers spell them", () => {
  assertEquals(
    settingsFrom({ ALLOWED_ORIGINS: "https://App.example.org:443/, http://localhost:3000" }).allowedOrigins,
    [
      "https://app.example.org",
      "http://localhost:3000",
    ],
  );
  assertEquals(settingsFrom({ ALLOWED_ORIGINS: "*" }).allowedOrigins, "*");
  for (
    const bad of [
      "https://a/b",
      "ftp://a",
      "https://",
      "https://a,",
      "https://*.a:x",
      "https://*.example.org",
      "https://%%",
      "null",
    ]
  ) {
    assertEquals(problemsFrom({ ALLOWED_ORIGINS: bad }).length, 1, bad);
  }
});

Deno.test("settings that depend on each other are checked together, even when others are broken", () => {
  assertEquals(problemsFrom({ PORT: "x", HEARTBEAT_MS: "60000", RETAIN_AGE: "1m" }), [
    'PORT="x" must be a whole number from 0 to 65535',
    "IDLE_MS=75000 (default) must be at least twice HEARTBEAT_MS, so that one lost pong ends no connection",
  ]);
});

Deno.test("no event id is remembered for longer than its event", () => {
  assertEquals(settingsFrom({ RETAIN_AGE: "1m" }).dedupWindowMs, 60_000);
  assertEquals(settingsFrom({ RETAIN_AGE: "1m", DEDUP_WINDOW: "5s" }).dedupWindowMs, 5_000);
});

Deno.test("a misspelled name of ours is pointed out, anybody else's name is not", () => {
  const warned = readSettings({
    FLUSHMS: "5",
    NATS_URI: "nats://a",
    PROT: "9000",
    max_topics: "3",
    MAX_CONECTIONS: "7",
    LOG_LEVL: "debug",
  });
  assert("settings" in warned);
  assertEquals(warned.warnings, [
    "FLUSHMS is not a setting: was FLUSH_MS meant?",
    "NATS_URI is not a setting: was NATS_URL meant?",
    "PROT is not a setting: was PORT meant?",
    "max_topics is not a setting: was MAX_TOPICS meant?",
    "MAX_CONECTIONS is not a setting: was MAX_CONNECTIONS meant?",
    "LOG_LEVL is not a setting: was LOG_LEVEL meant?",
  ]);
  const others = [
    ...[
      "HOME",
      "HOSTNAME",
      "PATH",
      "PWD",
      "SHELL",
      "TERM",
      "USER",
      "LANG",
      "EDITOR",
      "TMPDIR",
      "CI",
      "DENO_DIR",
    ],
    ...[
      "NATS_SERVER",
      "NATS_PORT",
      "OTEL_DENO",
      "OTEL_SERVICE_NAME",
      "SSH_AUTH_SOCK",
      "MAIL",
      "LOGNAME",
      "POD_IP",
    ],
    ...[
      "HTTP_PROXY",
      "NO_COLOR",
      "KUBERNETES_PORT",
      "TASKWIRE_PORT",
      "XDG_DATA_DIRS",
      "RUST_LOG",
      "TZ",
      "JWT",
    ],
  ];
  const quiet = readSettings(Object.fromEntries(others.map((name) => [name, "x"])));
  assertEquals(quiet.warnings, []);
});

Deno.test("the table of settings tells each one's default, rule and meaning", () => {
  const defaults = Object.fromEntries(
    SETTINGS.flatMap(({ name, default: value }) => value === undefined ? [] : [[name, value]]),
  );
  assertEquals(readSettings(defaults), readSettings({}));
  for (const { name, rule, meaning } of SETTINGS) {
    assert(/^[A-Z][A-Z_]+$/.test(name) && rule.startsWith("must be ") && meaning.length > 5, name);
  }
  assertEquals(
    SETTINGS.filter(({ secret }) => secret).map(({ name }) => name),
    ["NATS_PASSWORD", "NATS_TOKEN", "AUTH_TOKENS", "JWT_SECRET", "METRICS_TOKEN"],
  );
});
