import { embeddedTarget, jetStreamTarget, type Target } from "../archive/imported.ts";
import { type JetStreamLogOptions, openJetStreamLog } from "../log/jetstream_log.ts";
import { openSqliteBeside, type ReadableLog } from "../log/sqlite_beside.ts";
import { openSqliteLog } from "../log/sqlite_log.ts";
import { credentialsOf } from "../nats/credentials.ts";
import { readSettings, type Settings } from "../settings/settings.ts";
import { CliError } from "./cli_error.ts";
import type { World } from "./world.ts";

/** How long NATS and JetStream may take to be there, ms. */
const REACHED_MS = 10_000;
/** How long reading and appending go on over an outage, ms: what was done until then is kept, and can be gone on with. */
const PATIENCE_MS = 30_000;

/** The settings of the environment, as the gateway reads them. Throws a {@link CliError} that names each broken one. */
export function settingsOf(env: World["env"]): Settings {
  const read = readSettings(env);
  if ("settings" in read) return read.settings;
  throw new CliError(`the settings break their rules: ${read.problems.join("; ")}`);
}

/** The log that the settings name, to read it: nothing is made or changed, and a gateway may have it open. */
export async function openSource(settings: Settings, signal: AbortSignal): Promise<ReadableLog> {
  const { nats, dataDir } = settings;
  if (nats === undefined) return openSqliteBeside(dataDir);
  return await openJetStreamLog({ ...jetStream(settings, nats, signal), opening: "take" });
}

/** The log that the settings name, to import into it; made as a gateway would make it. */
export async function openTarget(
  settings: Settings,
  signal: AbortSignal,
): Promise<Target & AsyncDisposable> {
  const { nats, dataDir, survives, dataMaxBytes } = settings;
  if (nats === undefined) {
    const embedded = await openSqliteLog({
      dataDir,
      survives,
      maxBytes: dataMaxBytes,
      ...retention(settings),
    });
    return { ...embeddedTarget(embedded), [Symbol.asyncDispose]: () => embedded[Symbol.asyncDispose]() };
  }
  const log = await openJetStreamLog(jetStream(settings, nats, signal));
  return { ...jetStreamTarget(log), [Symbol.asyncDispose]: () => log[Symbol.asyncDispose]() };
}

function jetStream(
  settings: Settings,
  { servers, login, inboxPrefix }: NonNullable<Settings["nats"]>,
  signal: AbortSignal,
): JetStreamLogOptions {
  return {
    nats: { url: servers.join(","), name: "taskwire archive", inboxPrefix, ...credentialsOf(login) },
    stream: settings.stream,
    prefix: settings.subjectPrefix,
    partition: settings.partition,
    replicas: settings.streamReplicas,
    ...retention(settings),
    connecting: { withinMs: REACHED_MS, signal },
    readyWithinMs: REACHED_MS,
    readWithinMs: PATIENCE_MS,
    appendWithinMs: PATIENCE_MS,
  };
}

function retention({ retainAgeMs, retainPerSubject, dedupWindowMs }: Settings): {
  readonly retainAgeMs: number;
  readonly retainPerSubject: number;
  readonly dedupWindowMs: number;
} {
  return { retainAgeMs, retainPerSubject, dedupWindowMs };
}
