import type { EventLog } from "../log/event_log.ts";
import { openJetStreamLog } from "../log/jetstream_log.ts";
import { openSqliteLog } from "../log/sqlite_log.ts";
import type { NatsOptions } from "../nats/connect.ts";
import { credentialsOf } from "../nats/credentials.ts";
import type { Settings } from "../settings/settings.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** How long JetStream may take to come up once its server is there, ms; a cluster elects leaders meanwhile. */
const READY_MS = 30_000;

/** Between two lines that say that NATS is waited for, ms. */
const WAITING_MS = 10_000;

/** Opens the log that the settings name. A NATS server is waited for; a log that will never do rejects. */
export async function openLog(
  settings: Settings,
  telemetry: Pick<Telemetry, "log">,
  signal: AbortSignal,
): Promise<EventLog> {
  const { nats, dataDir, survives, dataMaxBytes, stream, subjectPrefix, streamReplicas, partition } =
    settings;
  const retention = {
    retainAgeMs: settings.retainAgeMs,
    retainPerSubject: settings.retainPerSubject,
    dedupWindowMs: settings.dedupWindowMs,
  };
  if (nats === undefined) {
    return await openSqliteLog({ dataDir, survives, maxBytes: dataMaxBytes, ...retention });
  }
  return await openJetStreamLog({
    nats: natsOptions(nats),
    stream,
    prefix: subjectPrefix,
    partition,
    replicas: streamReplicas,
    ...retention,
    readyWithinMs: READY_MS,
    connecting: { signal, onWaiting: everySoOften((why) => telemetry.log.warn("Waiting for NATS", { why })) },
  });
}

/** Where NATS is, and who we are there. */
export function natsOptions({ servers, login, inboxPrefix }: NonNullable<Settings["nats"]>): NatsOptions {
  return { url: servers.join(","), name: "taskwire gateway", inboxPrefix, ...credentialsOf(login) };
}

/** Tells of the first failure, and then at most once in ten seconds. */
function everySoOften(tell: (why: string) => void): (error: Error) => void {
  let toldMs = -Infinity;
  return (error) => {
    if (performance.now() - toldMs < WAITING_MS) return;
    toldMs = performance.now();
    tell(error.message);
  };
}
