import * as v from "valibot";
import { Environment, type Setting, SETTINGS } from "./environment.ts";
import { meantBy } from "./misspelling.ts";
import { type NatsServers, withoutPassword } from "./nats_servers.ts";
import type { Origins } from "./origins.ts";

/** How to log in to NATS. Files are read at each connect, so that they can be renewed. */
export type NatsLogin =
  | { readonly kind: "none" }
  | { readonly kind: "user"; readonly user: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "creds"; readonly file: string }
  | { readonly kind: "nkey"; readonly file: string };

/** Everything that can be set, read once at the start. PROTOCOL.md, section 9. */
export type Settings = {
  readonly host: string;
  readonly port: number;
  /** Absent: the embedded log in `dataDir`. */
  readonly nats?: NatsServers & { readonly login: NatsLogin };
  readonly dataDir: string;
  readonly dataMaxBytes: number;
  /** What an acknowledged event of the embedded log survives: `disk` power loss, `process` the end of the process. */
  readonly survives: "disk" | "process";
  readonly stream: string;
  readonly subjectPrefix: string;
  readonly streamReplicas: number;
  readonly retainAgeMs: number;
  readonly retainPerSubject: number;
  readonly dedupWindowMs: number;
  /** Nothing else can be chosen yet. */
  readonly auth: "off";
  /** Where browsers may connect from. */
  readonly allowedOrigins: Origins | "same-host";
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxMessageBytes: number;
  readonly maxTopics: number;
  readonly messagesPerSecond: number;
  readonly messagesBurst: number;
  readonly flushMs: number;
  readonly heartbeatMs: number;
  readonly idleMs: number;
  readonly drainMs: number;
  readonly maxTasks: number;
  readonly tailEvents: number;
  readonly tailBytes: number;
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
  const warnings = [...misspelled(env), ...withoutEffect(given)];
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
  return `${setting.name}=${JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)}`;
}

function misspelled(env: Readonly<Record<string, string | undefined>>): string[] {
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
  const tokens = ["AUTH_TOKENS", "JWT_SECRET", "JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE"];
  const nats = ["NATS_CREDS", "NATS_USER", "NATS_TOKEN", "NATS_NKEY_SEED"];
  const unread = [
    ...(given["AUTH"] === "off" ? tokens.map((name) => [name, "AUTH=off lets everybody in"] as const) : []),
    ...(given["NATS_URL"] === undefined ? nats.map((name) => [name, "NATS_URL is unset"] as const) : []),
  ];
  return unread.filter(([name]) => given[name] !== undefined).map(([name, why]) =>
    `${name} has no effect: ${why}`
  );
}

function settingsOf(env: Environment): Settings {
  return {
    host: env.HOST,
    port: env.PORT,
    ...(env.NATS_URL === undefined ? {} : { nats: { ...env.NATS_URL, login: loginOf(env) } }),
    dataDir: env.DATA_DIR,
    dataMaxBytes: env.DATA_MAX_BYTES,
    survives: env.SQLITE_SYNC,
    stream: env.STREAM,
    subjectPrefix: env.SUBJECT_PREFIX,
    streamReplicas: env.STREAM_REPLICAS,
    retainAgeMs: env.RETAIN_AGE,
    retainPerSubject: env.RETAIN_PER_SUBJECT,
    dedupWindowMs: Math.min(env.DEDUP_WINDOW, env.RETAIN_AGE),
    auth: "off",
    allowedOrigins: env.ALLOWED_ORIGINS ?? "same-host",
    maxConnections: env.MAX_CONNECTIONS,
    maxConnectionsPerClient: env.MAX_CONNECTIONS_PER_CLIENT,
    maxConnectionsPerAddress: env.MAX_CONNECTIONS_PER_ADDRESS,
    maxMessageBytes: env.MAX_MESSAGE_BYTES,
    maxTopics: env.MAX_TOPICS,
    messagesPerSecond: env.MESSAGES_PER_SECOND,
    messagesBurst: env.MESSAGES_BURST,
    flushMs: env.FLUSH_MS,
    heartbeatMs: env.HEARTBEAT_MS,
    idleMs: env.IDLE_MS,
    drainMs: env.DRAIN_MS,
    maxTasks: env.MAX_TASKS,
    tailEvents: env.TAIL_EVENTS,
    tailBytes: env.TAIL_BYTES,
    logLevel: env.LOG_LEVEL,
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
