import { headers, type NatsConnection } from "nats.ws";
import * as v from "valibot";
import { ApiError, ask } from "../log/jetstream_api.ts";
import { mappedTo, mappingOf } from "../log/jetstream_partition.ts";
import { lookedAt } from "../log/jetstream_stream.ts";
import { connectNats, NatsConnectError } from "../nats/connect.ts";
import { credentialsOf } from "../nats/credentials.ts";
import { placeOf } from "../protocol/partitions.ts";
import type { Settings } from "../settings/settings.ts";
import { type Finding, skewFinding } from "./finding.ts";

type Nats = NonNullable<Settings["nats"]>;

const CONNECT_MS = 5_000;
const ANSWER_MS = 3_000;
const OLDEST = [2, 9, 10] as const;

/** Whether the NATS that the settings name is there, will do, and lets us do what a gateway does. */
export async function natsFindings(settings: Settings, nats: Nats): Promise<readonly Finding[]> {
  let connection: NatsConnection;
  try {
    const url = nats.servers.join(",");
    const options = { url, name: "taskwire doctor", ...credentialsOf(nats.login) };
    connection = await connectNats(options, { withinMs: CONNECT_MS });
  } catch (error) {
    if (!(error instanceof NatsConnectError)) throw error;
    return [unreachable(error)];
  }
  try {
    const server = connection.info;
    const where = `${connection.getServer()}, version ${server?.version ?? "unknown"}`;
    return [
      { check: "NATS", verdict: "ok", says: `answers at ${where}` },
      versionFinding(server?.version ?? ""),
      ...await jetStreamFindings(settings, connection),
    ];
  } finally {
    await connection.close();
  }
}

function unreachable({ code, message }: NatsConnectError): Finding {
  const mend = {
    unreachable: "start nats-server there (nats-server -c deploy/nats-server.conf), or mend NATS_URL",
    refused:
      "mend NATS_CREDS, NATS_USER and NATS_PASSWORD, NATS_TOKEN or NATS_NKEY_SEED, or the server's users",
    invalid: "mend NATS_URL and the login",
  }[code];
  return { check: "NATS", verdict: "wrong", says: message.replaceAll(/\s*\n\s*/g, " "), mend };
}

/** Whether a server of this version will do. Pure. */
export function versionFinding(version: string): Finding {
  const check = "version";
  const parts = version.split(/[.-]/).map(Number);
  const older = OLDEST.findIndex((least, i) => (parts[i] ?? 0) !== least);
  const isOld = older >= 0 && !((parts[older] ?? 0) > (OLDEST[older] ?? 0));
  if (!isOld) return { check, verdict: "ok", says: `${version} will do` };
  const says = `${version || "unknown"} is older than ${OLDEST.join(".")}`;
  return { check, verdict: "wrong", says, mend: `install nats-server ${OLDEST.join(".")} or later` };
}

async function jetStreamFindings(
  settings: Settings,
  connection: NatsConnection,
): Promise<readonly Finding[]> {
  const { subjectPrefix: prefix, partition } = settings;
  const { stream } = placeOf({ stream: settings.stream, prefix }, partition?.partition);
  const sentMs = Date.now();
  let info: v.InferOutput<typeof Info>;
  try {
    info = await ask(connection, "INFO", undefined, Info, ANSWER_MS);
  } catch (error) {
    const mend =
      "enable JetStream (jetstream { store_dir: … }), and allow the user to publish to $JS.API.INFO";
    return [{ check: "JetStream", verdict: "wrong", says: why(error), mend }];
  }
  const findings: Finding[] = [{ check: "JetStream", verdict: "ok", says: `is on; ${info.streams} streams` }];
  const looked = await streamFinding(settings, connection);
  findings.push(looked.finding);
  if (!looked.isThere) return findings;
  const answer = await ask(connection, `STREAM.INFO.${stream}`, undefined, Moment, ANSWER_MS);
  if (answer.ts !== undefined) {
    const times = { sentMs, answeredMs: Date.now(), gritMs: 0 };
    findings.push(skewFinding("NATS", Date.parse(answer.ts), times));
  } else {
    findings.push({ check: "clock", verdict: "note", says: "this version of NATS does not tell its time" });
  }
  findings.push(await publishFinding(connection, prefix), await readFinding(connection, stream));
  findings.push(await mappingFinding(settings, connection));
  return findings;
}

const Info = v.object({ streams: v.optional(v.number(), 0) });
const Moment = v.object({ ts: v.optional(v.string()) });

async function streamFinding(
  settings: Settings,
  connection: NatsConnection,
): Promise<{ readonly finding: Finding; readonly isThere: boolean }> {
  const { streamReplicas: replicas, partition } = settings;
  const place = placeOf({ stream: settings.stream, prefix: settings.subjectPrefix }, partition?.partition);
  const { stream } = place;
  const check = "stream";
  try {
    const differences = await lookedAt(place, connection, { ...settings, replicas });
    if (differences === undefined) {
      const says = `${stream} is not there yet; the gateway makes it when it starts`;
      return { finding: { check, verdict: "note", says }, isThere: false };
    }
    if (differences.length === 0) {
      return { finding: { check, verdict: "ok", says: `${stream} is as the settings say` }, isThere: true };
    }
    const mend =
      `set taskwire as the stream is, set another STREAM, or change it: nats stream edit ${stream}`;
    return { finding: { check, verdict: "wrong", says: differences.join("; "), mend }, isThere: true };
  } catch (error) {
    const mend = `allow the user to publish to $JS.API.STREAM.INFO.${stream}`;
    return { finding: { check, verdict: "wrong", says: why(error), mend }, isThere: false };
  }
}

/** Publishes what JetStream refuses, because it expects a stream that is none: the right is tried, and nothing stored. */
async function publishFinding(connection: NatsConnection, prefix: string): Promise<Finding> {
  const check = "publishing";
  const subject = `${prefix}.task.taskwire-doctor.created`;
  const expecting = headers();
  expecting.set("Nats-Expected-Stream", "taskwire-doctor-stores-nothing");
  try {
    await connection.request(subject, "{}", { headers: expecting, timeout: ANSWER_MS });
    return { check, verdict: "ok", says: `${prefix}.task.> may be published to (tried; nothing was stored)` };
  } catch (error) {
    const mend = `allow the user to publish to ${prefix}.> and to subscribe to _INBOX.>`;
    return { check, verdict: "wrong", says: `${prefix}.task.>: ${why(error)}`, mend };
  }
}

/** Publishes what the stream refuses, being further than that: so it is seen which stream takes the events. */
async function mappingFinding(settings: Settings, connection: NatsConnection): Promise<Finding> {
  const check = "subjects";
  const { stream, subjectPrefix: prefix, partition } = settings;
  const whole = { stream, prefix, ...partition };
  const { stream: ours } = placeOf(whole, partition?.partition);
  try {
    const mapped = await mappedTo(connection, whole);
    const what = partition === undefined ? "all events" : `events of partition ${settingText(partition)}`;
    if (mapped.kind === "ours") return { check, verdict: "ok", says: `${what} come to ${ours}` };
    const says = mapped.kind === "none" ? "no stream takes what is published" : mapped.why;
    const mend = partition === undefined
      ? `take the mapping of ${prefix}.task.*.* out of the server's configuration, or set PARTITION`
      : `put into the server's configuration: mappings: { ${mappingOf({ prefix, ...partition })} }`;
    return { check, verdict: "wrong", says: `${what} do not come to ${ours}: ${says}`, mend };
  } catch (error) {
    return { check, verdict: "note", says: `cannot be tried: ${why(error)}` };
  }
}

function settingText({ partition, partitions }: NonNullable<Settings["partition"]>): string {
  return `${partition}/${partitions}`;
}

const Consumer = v.object({ name: v.string() });

/** Makes a consumer, as a gateway does to follow the stream, and takes it away again. */
async function readFinding(connection: NatsConnection, stream: string): Promise<Finding> {
  const check = "reading";
  try {
    const config = { deliver_policy: "new", ack_policy: "none", inactive_threshold: 5_000_000_000 };
    const asked = { stream_name: stream, config };
    const { name } = await ask(connection, `CONSUMER.CREATE.${stream}`, asked, Consumer, ANSWER_MS);
    // It goes by itself in five seconds where this is not allowed.
    await connection.request(`$JS.API.CONSUMER.DELETE.${stream}.${name}`, "", { timeout: ANSWER_MS }).catch(
      () => {},
    );
    return { check, verdict: "ok", says: `${stream} can be followed` };
  } catch (error) {
    const mend = `allow the user to publish to $JS.API.CONSUMER.CREATE.${stream}.>, …INFO, …DELETE, ` +
      `…MSG.NEXT and $JS.API.DIRECT.GET.${stream}.>`;
    return { check, verdict: "wrong", says: why(error), mend };
  }
}

/** Why NATS did not do it; its client says codes where one expects words. */
function why(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "503") return "nobody answers for JetStream";
  if (code === "TIMEOUT") return "no answer in time";
  return error instanceof Error ? error.message : String(error);
}
