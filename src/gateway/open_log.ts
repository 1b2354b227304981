import type { EventLog } from "../log/event_log.ts";
import { openJetStreamLog } from "../log/jetstream_log.ts";
import { openSqliteLog } from "../log/sqlite_log.ts";
import type { Settings } from "../settings/settings.ts";

/** Opens the log that the settings name. */
export async function openLog(settings: Settings, signal: AbortSignal): Promise<EventLog> {
  const retention = {
    retainAgeMs: settings.retainAgeMs,
    retainPerSubject: settings.retainPerSubject,
    dedupWindowMs: settings.dedupWindowMs,
  };
  signal.throwIfAborted();
  if (settings.nats === undefined) return await openSqliteLog({ dataDir: settings.dataDir, ...retention });
  return await openJetStreamLog({ ...retention });
}
