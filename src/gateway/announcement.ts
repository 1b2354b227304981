import { placeOf } from "../protocol/partitions.ts";
import type { Settings } from "../settings/settings.ts";

const ACCESS = {
  off: "everybody who reaches it may do everything (AUTH=off)",
  token: "who shows one of AUTH_TOKENS",
  jwt: "who shows a JSON Web Token",
} as const;

/** What `deno task start` prints: where it listens, which log it uses, and what to try next. */
export function announcement(settings: Settings, port: number): string {
  const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
  const at = `${host}:${port}`;
  const { nats, subjectPrefix, auth, tls } = settings;
  const s = tls === undefined ? "" : "s";
  const bearer = auth.kind === "off" ? "" : ` -H "Authorization: Bearer $TOKEN"`;
  const lines = [
    `taskwire listens on http${s}://${at}  (WebSocket: ws${s}://${at}/ws)`,
    nats === undefined
      ? `Log: embedded, ${settings.dataDir}/log.sqlite`
      : `Log: NATS stream ${streamOf(settings)} at ${nats.servers.join(", ")}`,
    `Access: ${ACCESS[auth.kind]}`,
    "Try:",
    `  curl${bearer} --json '{"kind":"progress","total":10,"completed":3}' http${s}://${at}/api/tasks/job1/events`,
    ...(nats === undefined
      ? []
      : [`  nats pub ${subjectPrefix}.task.job1.progress '{"total":10,"completed":3}'`]),
    `  npx -y wscat${bearer} -c 'ws${s}://${at}/ws?topics=task:progress,task:status'`,
  ];
  return `${lines.join("\n")}\n`;
}

function streamOf({ stream, subjectPrefix: prefix, partition: own }: Settings): string {
  const { stream: name } = placeOf({ stream, prefix }, own?.partition);
  return own === undefined ? name : `${name} (partition ${own.partition} of ${own.partitions})`;
}
