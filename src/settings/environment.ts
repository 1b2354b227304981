import * as v from "valibot";
import { authTokens, TOKEN, TOKEN_RULE } from "./auth_tokens.ts";
import { jwksUrl, jwtAlgorithms } from "./jwt_keys.ts";
import { isLoopback } from "./loopback.ts";
import { natsServers } from "./nats_servers.ts";
import { networks } from "./networks.ts";
import { origins } from "./origins.ts";
import { partition } from "./partition.ts";
import { duration, oneOf, path, paths, type Rule, secret, text, whole } from "./rules.ts";

const TOKENS = /^[A-Za-z0-9_-]{1,64}$/;
const SUBJECT = /^(?=.{1,128}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;
const LINE = /^.{1,1024}$/;
const HOST = /^[A-Za-z0-9._:%-]{1,253}$/;

const entries = {
  HOST: v.optional(
    text(HOST, { rule: "must be a host name or an address", meaning: "the address to listen on" }),
    "127.0.0.1",
  ),
  PORT: v.optional(whole(0, 65_535, "the port to listen on; 0: any that is free"), "8000"),

  TLS_CERT: v.optional(
    path(
      "a file with a certificate in PEM, and those of who signed it, to serve over TLS; read again when it changes",
    ),
  ),
  TLS_KEY: v.optional(path("a file with the key of TLS_CERT in PEM")),

  NATS_URL: v.optional(natsServers()),
  NATS_CREDS: v.optional(path("a file with NATS credentials (JWT and seed), read at each connect")),
  NATS_USER: v.optional(
    text(/^[^\0\r\n]{1,256}$/, { rule: "must be one line of text", meaning: "NATS user" }),
  ),
  NATS_PASSWORD: v.optional(secret("password of NATS_USER")),
  NATS_TOKEN: v.optional(secret("NATS token")),
  NATS_NKEY_SEED: v.optional(path("a file with an NKey seed, read at each connect")),
  NATS_INBOX_PREFIX: v.optional(
    text(SUBJECT, {
      rule: "must be tokens of A-Za-z0-9_- joined by dots, 128 characters at most",
      meaning: "where answers of NATS come in; one of its own keeps them from whoever may listen to _INBOX.>",
    }),
    "_INBOX",
  ),

  STREAM: v.optional(
    text(TOKENS, {
      rule: "must be 1–64 of A-Za-z0-9_-",
      meaning: "the JetStream stream, created when missing",
    }),
    "TASKWIRE",
  ),
  SUBJECT_PREFIX: v.optional(
    text(SUBJECT, {
      rule: "must be tokens of A-Za-z0-9_- joined by dots, 128 characters at most",
      meaning: "what the subjects of all events begin with",
    }),
    "taskwire",
  ),
  STREAM_REPLICAS: v.optional(whole(1, 5, "copies of the stream in a NATS cluster"), "1"),
  PARTITION: v.optional(partition()),
  DATA_DIR: v.optional(path("the folder of the embedded log"), "./data"),
  DATA_MAX_BYTES: v.optional(
    whole(
      1_048_576,
      1_099_511_627_776,
      "the size at which the embedded log refuses events until older ones go",
    ),
    "10737418240",
  ),
  SQLITE_SYNC: v.optional(
    oneOf(
      ["disk", "process"],
      "what an acknowledged event of the embedded log survives: power loss, or kill -9",
    ),
    "disk",
  ),
  RETAIN_AGE: v.optional(duration("1s", "3650d", "how long events are kept"), "7d"),
  RETAIN_PER_SUBJECT: v.optional(whole(1, 1_000_000_000, "events kept of each kind of a task"), "1000"),
  DEDUP_WINDOW: v.optional(
    duration("100ms", "1d", "for how long an event id is stored only once, RETAIN_AGE at most"),
    "2m",
  ),

  AUTH: v.optional(
    oneOf(
      ["off", "token", "jwt"],
      "who may connect: everybody, who shows one of AUTH_TOKENS, or a JWT; unset: everybody on this machine",
    ),
  ),
  AUTH_TOKENS: v.optional(authTokens()),
  JWT_SECRET: v.optional(
    text(/^[^\0\r\n]{32,4096}$/, {
      rule: "must be one line of 32 characters or more",
      meaning: "the secret of AUTH=jwt with HS256",
      secret: true,
    }),
  ),
  JWKS_URL: v.optional(jwksUrl()),
  JWT_ALGORITHMS: v.optional(jwtAlgorithms()),
  JWT_ISSUER: v.optional(
    text(LINE, { rule: "must be one line of text", meaning: "the `iss` asked of JWTs" }),
  ),
  JWT_AUDIENCE: v.optional(
    text(LINE, { rule: "must be one line of text", meaning: "the `aud` asked of JWTs" }),
  ),
  JWT_SKEW: v.optional(
    duration("0s", "5m", "by how much the clocks of who makes JWTs and of this machine may differ"),
    "30s",
  ),
  AUTH_TIMEOUT: v.optional(
    duration("100ms", "5m", "how long a connection that showed no token may take to send `auth`"),
    "10s",
  ),
  METRICS_TOKEN: v.optional(
    text(TOKEN, {
      rule: `must be ${TOKEN_RULE}`,
      meaning: "a token for /metrics alone; unset: one with the right admin",
      secret: true,
    }),
  ),
  ALLOWED_ORIGINS: v.optional(origins()),
  TRUSTED_PROXIES: v.optional(networks()),

  MAX_CONNECTIONS: v.optional(whole(1, 10_000_000, "connections at once"), "50000"),
  MAX_CONNECTIONS_PER_CLIENT: v.optional(whole(1, 10_000_000, "connections at once of one client_id"), "16"),
  MAX_CONNECTIONS_PER_ADDRESS: v.optional(whole(1, 10_000_000, "connections at once of one address"), "1000"),
  MAX_CONNECTIONS_PER_SUBJECT: v.optional(
    whole(1, 10_000_000, "connections at once of one token's name or `sub`"),
    "1000",
  ),
  HANDSHAKES_PER_SECOND: v.optional(
    whole(1, 1_000_000, "new connections a second of one address, sustained"),
    "100",
  ),
  HANDSHAKES_BURST: v.optional(whole(1, 1_000_000, "new connections at once of one address"), "1000"),
  REQUESTS_PER_SECOND: v.optional(
    whole(1, 1_000_000, "HTTP requests a second of one token, or of one address without, sustained"),
    "1000",
  ),
  REQUESTS_BURST: v.optional(whole(1, 1_000_000, "HTTP requests at once of one token or address"), "2000"),
  MAX_REPLAYS: v.optional(whole(1, 100_000, "connections at once that read pages of the log"), "64"),
  MAX_MESSAGE_BYTES: v.optional(whole(1_024, 16_777_216, "the largest client frame"), "65536"),
  COMPRESSION: v.optional(
    oneOf(["on", "off"], "whether messages are compressed where a WebSocket offers it (permessage-deflate)"),
    "on",
  ),
  MAX_TOPICS: v.optional(whole(1, 100_000, "topics that a connection may hold"), "256"),
  MESSAGES_PER_SECOND: v.optional(whole(1, 1_000_000, "client frames a second, sustained"), "50"),
  MESSAGES_BURST: v.optional(whole(1, 1_000_000, "client frames at once"), "100"),

  FLUSH_MS: v.optional(whole(1, 60_000, "the least time between two flushes of a busy audience"), "20"),
  HEARTBEAT_MS: v.optional(whole(100, 3_600_000, "how often a quiet connection is pinged"), "30000"),
  IDLE_MS: v.optional(
    whole(200, 7_200_000, "after how long without traffic or pong a connection ends"),
    "75000",
  ),
  STALE_AFTER_MS: v.optional(
    whole(0, 86_400_000, "how long a running task may be silent at least, until it is stale; 0: for ever"),
    "30000",
  ),
  REAP_AFTER_MS: v.optional(
    whole(0, 2_592_000_000, "how long a task may be stale, until it has failed; 0: for ever"),
    "0",
  ),
  DRAIN_MS: v.optional(whole(0, 3_600_000, "how long a stop may take (SIGTERM)"), "15000"),

  MAX_TASKS: v.optional(
    whole(
      10_000,
      100_000_000,
      "tasks in memory; ended ones leave beyond it, those under way beyond four times as many",
    ),
    "200000",
  ),
  TAIL_EVENTS: v.optional(whole(0, 100_000_000, "recent events in memory, for those who return"), "65536"),
  TAIL_BYTES: v.optional(whole(0, 17_179_869_184, "bytes of recent events in memory"), "33554432"),

  PLUGINS: v.optional(paths("modules of plug-ins, comma-separated")),
  LOG_LEVEL: v.optional(oneOf(["debug", "info", "warn", "error"], "the least level that is logged"), "info"),
};

/** The name of a setting. */
export type SettingName = keyof typeof entries;

/** What is ours in the environment. Where one setting asks something of another, the issue is on the one to mend. */
export const Environment = v.pipe(
  v.object(entries),
  v.forward(
    v.partialCheck(
      [["HOST"], ["AUTH"]],
      ({ HOST, AUTH }) => AUTH !== undefined || isLoopback(HOST),
      "is not this machine alone, so AUTH has to be said: token or jwt, or off, whoever reaches it then may do everything",
    ),
    ["HOST"],
  ),
  v.forward(
    v.partialCheck(
      [["AUTH"], ["AUTH_TOKENS"], ["JWT_SECRET"], ["JWKS_URL"]],
      (given) =>
        given.AUTH !== undefined || (given.AUTH_TOKENS ?? given.JWT_SECRET ?? given.JWKS_URL) === undefined,
      "has to be said when AUTH_TOKENS, JWT_SECRET or JWKS_URL is set: token or jwt, or off",
    ),
    ["AUTH"],
  ),
  v.forward(
    v.partialCheck(
      [["AUTH"], ["AUTH_TOKENS"]],
      ({ AUTH, AUTH_TOKENS }) => AUTH !== "token" || AUTH_TOKENS !== undefined,
      "has to be set with AUTH=token; deno task cli token makes an entry",
    ),
    ["AUTH_TOKENS"],
  ),
  v.forward(
    v.partialCheck(
      [["METRICS_TOKEN"], ["AUTH_TOKENS"]],
      ({ METRICS_TOKEN, AUTH_TOKENS = [] }) => !AUTH_TOKENS.some(({ token }) => token === METRICS_TOKEN),
      "must be another token than those of AUTH_TOKENS: it is for /metrics alone",
    ),
    ["METRICS_TOKEN"],
  ),
  v.forward(
    v.partialCheck(
      [["AUTH"], ["JWT_SECRET"], ["JWKS_URL"]],
      ({ AUTH, JWT_SECRET, JWKS_URL }) =>
        AUTH !== "jwt" || (JWT_SECRET === undefined) !== (JWKS_URL === undefined),
      "takes one of JWT_SECRET and JWKS_URL with AUTH=jwt",
    ),
    ["AUTH"],
  ),
  v.forward(
    v.partialCheck(
      [["JWT_ALGORITHMS"], ["JWT_SECRET"], ["JWKS_URL"]],
      ({ JWT_ALGORITHMS, JWT_SECRET, JWKS_URL }) =>
        (JWT_ALGORITHMS ?? []).every((name) =>
          name === "HS256" ? JWKS_URL === undefined : JWT_SECRET === undefined
        ),
      "must be HS256 alone with JWT_SECRET, and must not have it with JWKS_URL: a public key is no secret",
    ),
    ["JWT_ALGORITHMS"],
  ),
  v.forward(
    v.partialCheck(
      [["NATS_CREDS"], ["NATS_USER"], ["NATS_TOKEN"], ["NATS_NKEY_SEED"]],
      ({ NATS_CREDS, NATS_USER, NATS_TOKEN, NATS_NKEY_SEED }) =>
        [NATS_CREDS, NATS_USER, NATS_TOKEN, NATS_NKEY_SEED].filter((login) => login !== undefined).length <=
          1,
      "takes one login: NATS_CREDS, NATS_USER, NATS_TOKEN or NATS_NKEY_SEED",
    ),
    ["NATS_URL"],
  ),
  v.forward(
    v.partialCheck(
      [["NATS_USER"], ["NATS_PASSWORD"]],
      ({ NATS_USER, NATS_PASSWORD }) => (NATS_USER === undefined) === (NATS_PASSWORD === undefined),
      "goes together with NATS_USER",
    ),
    ["NATS_PASSWORD"],
  ),
  v.forward(
    v.partialCheck(
      [["TLS_CERT"], ["TLS_KEY"]],
      ({ TLS_CERT, TLS_KEY }) => (TLS_CERT === undefined) === (TLS_KEY === undefined),
      "goes together with TLS_CERT",
    ),
    ["TLS_KEY"],
  ),
  v.forward(
    v.partialCheck(
      [["PARTITION"], ["NATS_URL"]],
      ({ PARTITION, NATS_URL }) => PARTITION === undefined || NATS_URL !== undefined,
      "goes together with NATS_URL: the embedded log has no partitions",
    ),
    ["PARTITION"],
  ),
  v.forward(
    v.partialCheck(
      [["IDLE_MS"], ["HEARTBEAT_MS"]],
      ({ IDLE_MS, HEARTBEAT_MS }) => IDLE_MS >= 2 * HEARTBEAT_MS,
      "must be at least twice HEARTBEAT_MS, so that one lost pong ends no connection",
    ),
    ["IDLE_MS"],
  ),
);
/** See {@link Environment}. */
export type Environment = v.InferOutput<typeof Environment>;

/** A row of the table of settings; an absent default means unset. */
export type Setting = Rule & { readonly name: SettingName; readonly default: string | undefined };

/** Every setting: name, default, rule and meaning. */
export const SETTINGS: readonly Setting[] = Object.entries(entries).map(([name, entry]) => ({
  // Object.entries forgets that the names of an object literal are its keys.
  name: name as SettingName,
  default: v.getDefault(entry),
  ...ruleOf(entry.wrapped),
}));

function ruleOf(schema: v.GenericSchema): Rule {
  const { rule, meaning, secret } = v.getMetadata(schema);
  if (typeof rule !== "string" || typeof meaning !== "string") throw new TypeError("A setting has no rule");
  return secret === true ? { rule, meaning, secret } : { rule, meaning };
}
