import * as v from "valibot";
import type { JwtAlgorithm } from "../access/jwt_tokens.ts";
import type { NamedToken } from "../access/static_tokens.ts";
import type { Partition } from "../protocol/partitions.ts";
import type { CertificatePaths } from "./certificate.ts";
import { Environment, type Setting, SETTINGS } from "./environment.ts";
import { meantBy } from "./misspelling.ts";
import { type NatsServers, withoutPassword } from "./nats_servers.ts";
import type { Networks } from "./networks.ts";
import type { Origins } from "./origins.ts";

/** How to log in to NATS. Files are read at each connect, so that they can be renewed. */
export type NatsLogin =
  | { readonly kind: "none" }
  | { readonly kind: "user"; readonly user: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "creds"; readonly file: string }
  | { readonly kind: "nkey"; readonly file: string };

/** Who may connect. */
export type Auth =
  | { readonly kind: "off" }
  | { readonly kind: "token"; readonly tokens: readonly NamedToken[] }
  | {
    readonly kind: "jwt";
    readonly keys: { readonly secret: string } | { readonly jwksUrl: string };
    readonly algorithms: readonly JwtAlgorithm[];
    readonly issuer?: string;
    readonly audience?: string;
    readonly skewMs: number;
  };

/** Everything that can be set, read once at the start. PROTOCOL.md, section 9. */
export type Settings = {
  readonly host: string;
  readonly port: number;
  /** Absent: without TLS. */
  readonly tls?: CertificatePaths;
  /** Absent: the embedded log in `dataDir`. */
  readonly nats?: NatsServers & { readonly login: NatsLogin; readonly inboxPrefix: string };
  readonly dataDir: string;
  readonly dataMaxBytes: number;
  /** What an acknowledged event of the embedded log survives: `disk` power loss, `process` the end of the process. */
  readonly survives: "disk" | "process";
  readonly stream: string;
  readonly subjectPrefix: string;
  readonly streamReplicas: number;
  /** The part of the tasks that is followed; absent: all of them. */
  readonly partition?: Partition;
  readonly retainAgeMs: number;
  readonly retainPerSubject: number;
  readonly dedupWindowMs: number;
  readonly auth: Auth;
  /** How long a connection may take to show a token. */
  readonly authTimeoutMs: number;
  /** A token for `/metrics` alone. */
  readonly metricsToken?: string;
  /** The proxies that are believed about who their clients are. */
  readonly trustedProxies?: Networks;
  /** Where browsers may connect from. */
  readonly allowedOrigins: Origins | "same-host";
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxConnectionsPerSubject: number;
  readonly handshakesPerSecond: number;
  readonly handshakesBurst: number;
  readonly requestsPerSecond: number;
  readonly requestsBurst: number;
  readonly maxReplays: number;
  readonly maxMessageBytes: number;
  readonly compression: boolean;
  readonly maxTopics: number;
  readonly messagesPerSecond: number;
  readonly messagesBurst: number;
  readonly flushMs: number;
  readonly heartbeatMs: number;
  readonly idleMs: number;
  /** How long a task may be silent at least, and how long stale; 0: for ever. */
  readonly staleAfterMs: number;
  readonly reapAfterMs: number;
  readonly drainMs: number;
  readonly maxTasks: number;
  readonly tailEvents: number;
  readonly tailBytes: number;
  /** Modules of plug-ins. */
  readonly plugins: readonly string[];
  readonly logLevel: "debug" | "info" | "warn" | "error";
};

/** The settings, or one sentence a broken one. `warnings` are about what is probably not meant. */
export type ReadSettings =
  & { readonly warnings: readonly string[] }
  & ({ readonly settings: Settings } | { readonly problems: readonly string[] });

/** Reads the settings from the environment. Empty means unset; names that are not ours are nobody's business. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): ReadSettings {
  const given: Record<string, string> = {};
  for (const { name, secret } of SETTINGS) {
    const value = env[name];
    if (value !== undefined && value.trim() !== "") given[name] = secret === true ? value : value.trim();
  }
  const warnings = [...misspelled(env), ...withoutEffect(given), ...wide(given)];
  const result = v.safeParse(Environment, given);
  if (!result.success) return { problems: problemsOf(result.issues, given), warnings };
  return { settings: settingsOf(result.output), warnings };
}

/** The one error of a start with bad settings. */
export function printProblems(problems: readonly string[]): string {
  return ["Cannot start with these settings:", ...problems.map((problem) => `  ${problem}`)].join("\n");
}

/** One sentence a broken setting: the first rule that it breaks. */
function problemsOf(
  issues: readonly v.BaseIssue<unknown>[],
  given: Readonly<Record<string, string>>,
): string[] {
  return SETTINGS.flatMap((setting) => {
    const issue = issues.find((candidate) => v.getDotPath(candidate) === setting.name);
    if (issue === undefined) return [];
    return [`${shown(setting, given)} ${issue.type === "partial_check" ? issue.message : setting.rule}`];
  });
}

function shown(setting: Setting, given: Readonly<Record<string, string>>): string {
  const value = given[setting.name];
  if (value === undefined) {
    return setting.default === undefined
      ? `${setting.name} (unset)`
      : `${setting.name}=${setting.default} (default)`;
  }
  if (setting.secret === true) return `${setting.name} (not shown)`;
  const text = withoutPassword(value);
  return `${setting.name}=${quoted(text.length > 80 ? `${text.slice(0, 80)}…` : text)}`;
}

/** `text` in quotes, with nothing in it that a terminal would do something at. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** One sentence on each name that is nearly a setting, where that setting is not given itself. Pure. */
export function misspelled(env: Readonly<Record<string, string | undefined>>): string[] {
  const names = SETTINGS.map(({ name }) => name);
  return Object.keys(env).flatMap((name) => {
    const meant = meantBy(name, names);
    return meant === undefined || env[meant] !== undefined
      ? []
      : [`${name} is not a setting: was ${meant} meant?`];
  });
}

/** Settings that nothing reads as things are. What looks like a protection has to say so. */
function withoutEffect(given: Readonly<Record<string, string>>): string[] {
  const nats = ["NATS_CREDS", "NATS_USER", "NATS_TOKEN", "NATS_NKEY_SEED"];
  const auth = given["AUTH"] ?? "off";
  const tokens = ["AUTH_TOKENS"];
  const jwts = ["JWT_SECRET", "JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE", "JWT_ALGORITHMS"];
  const unread = [
    ...(auth === "token" ? [] : tokens.map((name) => [name, notRead(auth)] as const)),
    ...(auth === "jwt" ? [] : jwts.map((name) => [name, notRead(auth)] as const)),
    ...(auth === "off" ? [["METRICS_TOKEN", notRead(auth)] as const] : []),
    ...(given["NATS_URL"] === undefined ? nats.map((name) => [name, "NATS_URL is unset"] as const) : []),
  ];
  return unread.filter(([name]) => given[name] !== undefined).map(([name, why]) =>
    `${name} has no effect: ${why}`
  );
}

function notRead(auth: string): string {
  if (auth === "off") return "AUTH=off lets everybody in";
  return auth === "token" || auth === "jwt" ? `AUTH=${auth} does not read it` : "AUTH is none that reads it";
}

/** What lets in more than is probably meant. */
function wide(given: Readonly<Record<string, string>>): string[] {
  return given["AUTH"] === "jwt" && given["JWKS_URL"] !== undefined && given["JWT_AUDIENCE"] === undefined
    ? [
      "JWT_AUDIENCE is unset: a token that was made for any other program with these keys opens this one too",
    ]
    : [];
}

function settingsOf(env: Environment): Settings {
  return {
    host: env.HOST,
    port: env.PORT,
    ...(env.TLS_CERT === undefined || env.TLS_KEY === undefined
      ? {}
      : { tls: { cert: env.TLS_CERT, key: env.TLS_KEY } }),
    ...(env.NATS_URL === undefined
      ? {}
      : { nats: { ...env.NATS_URL, login: loginOf(env), inboxPrefix: env.NATS_INBOX_PREFIX } }),
    dataDir: env.DATA_DIR,
    dataMaxBytes: env.DATA_MAX_BYTES,
    survives: env.SQLITE_SYNC,
    stream: env.STREAM,
    subjectPrefix: env.SUBJECT_PREFIX,
    streamReplicas: env.STREAM_REPLICAS,
    ...(env.PARTITION === undefined ? {} : { partition: env.PARTITION }),
    retainAgeMs: env.RETAIN_AGE,
    retainPerSubject: env.RETAIN_PER_SUBJECT,
    dedupWindowMs: Math.min(env.DEDUP_WINDOW, env.RETAIN_AGE),
    auth: authOf(env),
    authTimeoutMs: env.AUTH_TIMEOUT,
    ...(env.METRICS_TOKEN === undefined ? {} : { metricsToken: env.METRICS_TOKEN }),
    ...(env.TRUSTED_PROXIES === undefined ? {} : { trustedProxies: env.TRUSTED_PROXIES }),
    allowedOrigins: env.ALLOWED_ORIGINS ?? "same-host",
    maxConnections: env.MAX_CONNECTIONS,
    maxConnectionsPerClient: env.MAX_CONNECTIONS_PER_CLIENT,
    maxConnectionsPerAddress: env.MAX_CONNECTIONS_PER_ADDRESS,
    maxConnectionsPerSubject: env.MAX_CONNECTIONS_PER_SUBJECT,
    handshakesPerSecond: env.HANDSHAKES_PER_SECOND,
    handshakesBurst: env.HANDSHAKES_BURST,
    requestsPerSecond: env.REQUESTS_PER_SECOND,
    requestsBurst: env.REQUESTS_BURST,
    maxReplays: env.MAX_REPLAYS,
    maxMessageBytes: env.MAX_MESSAGE_BYTES,
    compression: env.COMPRESSION === "on",
    maxTopics: env.MAX_TOPICS,
    messagesPerSecond: env.MESSAGES_PER_SECOND,
    messagesBurst: env.MESSAGES_BURST,
    flushMs: env.FLUSH_MS,
    heartbeatMs: env.HEARTBEAT_MS,
    idleMs: env.IDLE_MS,
    staleAfterMs: env.STALE_AFTER_MS,
    reapAfterMs: env.REAP_AFTER_MS,
    drainMs: env.DRAIN_MS,
    maxTasks: env.MAX_TASKS,
    tailEvents: env.TAIL_EVENTS,
    tailBytes: env.TAIL_BYTES,
    plugins: env.PLUGINS ?? [],
    logLevel: env.LOG_LEVEL,
  };
}

function authOf(env: Environment): Auth {
  if (env.AUTH === "token") return { kind: "token", tokens: env.AUTH_TOKENS ?? [] };
  if (env.AUTH !== "jwt") return { kind: "off" };
  const { JWT_SECRET: secret, JWKS_URL: jwksUrl = "" } = env;
  return {
    kind: "jwt",
    keys: secret === undefined ? { jwksUrl } : { secret },
    algorithms: env.JWT_ALGORITHMS ?? (secret === undefined ? ["RS256", "ES256", "EdDSA"] : ["HS256"]),
    ...(env.JWT_ISSUER === undefined ? {} : { issuer: env.JWT_ISSUER }),
    ...(env.JWT_AUDIENCE === undefined ? {} : { audience: env.JWT_AUDIENCE }),
    skewMs: env.JWT_SKEW,
  };
}

function loginOf(env: Environment): NatsLogin {
  if (env.NATS_CREDS !== undefined) return { kind: "creds", file: env.NATS_CREDS };
  if (env.NATS_NKEY_SEED !== undefined) return { kind: "nkey", file: env.NATS_NKEY_SEED };
  if (env.NATS_TOKEN !== undefined) return { kind: "token", token: env.NATS_TOKEN };
  if (env.NATS_USER !== undefined && env.NATS_PASSWORD !== undefined) {
    return { kind: "user", user: env.NATS_USER, password: env.NATS_PASSWORD };
  }
  return { kind: "none" };
}
