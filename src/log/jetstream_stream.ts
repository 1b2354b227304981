import type { NatsConnection } from "nats.ws";
import * as v from "valibot";
import { type Extent, LogError } from "./event_log.ts";
import { API_CODES, ApiError, ask, type JetStream, logError } from "./jetstream_api.ts";

/** The settings of the stream that taskwire decides on. The others are the operator's to set. */
export type StreamSettings = {
  /** How many servers keep a copy. */
  readonly replicas: number;
  /** How long records are kept, ms; 0 for ever. */
  readonly retainAgeMs: number;
  /** How many records of one subject are kept. */
  readonly retainPerSubject: number;
  /** How long an id is known, ms. Never longer than the age: JetStream refuses that. */
  readonly dedupWindowMs: number;
};

/** The namespaces below the prefix that are the log's; anything else below it is left to others. */
export const NAMESPACES = ["task", "data", "strategy"] as const;

const Setting = v.union([v.string(), v.number(), v.boolean(), v.array(v.string())]);
type Setting = v.InferOutput<typeof Setting>;

const StreamInfo = v.object({
  created: v.string(),
  config: v.record(v.string(), v.unknown()),
  state: v.object({ messages: v.number(), first_seq: v.number(), last_seq: v.number() }),
});
type StreamInfo = v.InferOutput<typeof StreamInfo>;

/** The stream's extent as it is now. Rejects as {@link ask} does. */
export async function extentOf({ stream }: JetStream, connection: NatsConnection): Promise<Extent> {
  return toExtent(await ask(connection, `STREAM.INFO.${stream}`, undefined, StreamInfo));
}

/** Makes the stream when it is missing. Rejects with {@link LogError} "mismatch" when it is another than ours. */
export async function ensureStream(
  js: JetStream,
  connection: NatsConnection,
  settings: StreamSettings,
): Promise<Extent> {
  const wanted = configOf(js, settings);
  const info = await found(js, connection) ?? await created(js, connection, wanted);
  const differences = differencesOf(wanted, info.config);
  if (differences.length > 0) throw mismatch(js, connection, differences);
  return toExtent(info);
}

/** Rejects with {@link LogError} "refused" when the stream is missing. */
export async function assertStream(js: JetStream, connection: NatsConnection): Promise<Extent> {
  const info = await found(js, connection);
  if (info === undefined) throw new LogError("refused", `There is no stream ${js.stream}`);
  return toExtent(info);
}

/**
 * How the stream is otherwise than these settings ask for, a sentence each; undefined where there is no such stream.
 * Nothing is changed. Rejects as {@link ask} does.
 */
export async function lookedAt(
  js: Place,
  connection: NatsConnection,
  settings: StreamSettings,
): Promise<readonly string[] | undefined> {
  const info = await found(js, connection);
  return info === undefined ? undefined : differencesOf(configOf(js, settings), info.config);
}

/** What of {@link JetStream} says where the stream is. */
type Place = Pick<JetStream, "stream" | "prefix">;

async function found(
  { stream }: Pick<Place, "stream">,
  connection: NatsConnection,
): Promise<StreamInfo | undefined> {
  try {
    return await ask(connection, `STREAM.INFO.${stream}`, undefined, StreamInfo);
  } catch (error) {
    if (error instanceof ApiError && error.errCode === API_CODES.streamNotFound) return undefined;
    throw error;
  }
}

async function created(
  js: JetStream,
  connection: NatsConnection,
  wanted: Readonly<Record<string, Setting>>,
): Promise<StreamInfo> {
  try {
    return await ask(connection, `STREAM.CREATE.${js.stream}`, { name: js.stream, ...wanted }, StreamInfo);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.errCode === API_CODES.nameInUse) {
      // Another was faster, with other settings; they are told apart by the caller.
      return await ask(connection, `STREAM.INFO.${js.stream}`, undefined, StreamInfo);
    }
    if (error.errCode === API_CODES.subjectsOverlap) throw await overlap(js, connection, error);
    throw logError(error, `Cannot create the stream ${js.stream}`);
  }
}

function configOf(
  { prefix }: Pick<Place, "prefix">,
  settings: StreamSettings,
): Readonly<Record<string, Setting>> {
  const { replicas, retainAgeMs, retainPerSubject, dedupWindowMs } = settings;
  return {
    subjects: NAMESPACES.map((namespace) => `${prefix}.${namespace}.>`),
    retention: "limits",
    storage: "file",
    discard: "old",
    num_replicas: replicas,
    max_age: retainAgeMs * NS_PER_MS,
    max_msgs_per_subject: retainPerSubject,
    duplicate_window: (retainAgeMs === 0 ? dedupWindowMs : Math.min(dedupWindowMs, retainAgeMs)) * NS_PER_MS,
    allow_direct: true,
  };
}

const NS_PER_MS = 1_000_000;

/** Each setting that is not as wanted, as `name: ours is …, the stream has …`. Pure. */
export function differencesOf(
  wanted: Readonly<Record<string, Setting>>,
  theirs: Readonly<Record<string, unknown>>,
): readonly string[] {
  return Object.entries(wanted).flatMap(([name, ours]) => {
    const their = v.is(Setting, theirs[name]) ? theirs[name] : undefined;
    // What is off, a server may leave out.
    const same =
      shown(name, ours) === shown(name, their ?? (ours === 0 || ours === false ? ours : undefined));
    return same ? [] : [`${name}: taskwire wants ${shown(name, ours)}, the stream has ${shown(name, their)}`];
  });
}

const IN_NANOSECONDS = new Set(["max_age", "duplicate_window"]);

function shown(name: string, setting: Setting | undefined): string {
  if (setting === undefined) return "nothing";
  if (Array.isArray(setting)) return setting.toSorted().join(" ");
  return typeof setting === "number" && IN_NANOSECONDS.has(name) ? duration(setting) : String(setting);
}

const UNITS: readonly (readonly [string, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

/** Nanoseconds in the largest unit that divides them, as NATS's tools take it: `7d`, `90s`. */
function duration(ns: number): string {
  if (ns === 0) return "0s";
  const [unit, ms] = UNITS.find(([, ms]) => ns % (ms * NS_PER_MS) === 0) ?? ["ns", 1 / NS_PER_MS];
  return `${ns / (ms * NS_PER_MS)}${unit}`;
}

function mismatch(
  { stream }: JetStream,
  connection: NatsConnection,
  differences: readonly string[],
): LogError {
  return new LogError(
    "mismatch",
    `The stream ${stream} is not as taskwire is set, and taskwire never changes a stream: ${
      differences.join("; ")
    }. ` +
      "Set taskwire as the stream is, or name another stream, or change this one yourself " +
      `(nats stream edit ${stream}; storage and retention stay as they were made). A setting that comes back as ` +
      `nothing is unknown to the server (${
        connection.info?.version ?? "version unknown"
      }; 2.9.10 or later is needed).`,
  );
}

const StreamNames = v.object({ streams: v.optional(v.nullable(v.array(v.string())), []) });

async function overlap(js: JetStream, connection: NatsConnection, cause: ApiError): Promise<LogError> {
  const names = new Set<string>();
  for (const namespace of NAMESPACES) {
    try {
      const filter = { subject: `${js.prefix}.${namespace}.>` };
      const { streams } = await ask(connection, "STREAM.NAMES", filter, StreamNames);
      for (const name of streams ?? []) names.add(name);
    } catch {
      // Its name is a kindness; we may not be allowed to ask for it.
    }
  }
  const which = names.size === 0 ? "Another stream" : `The stream ${[...names].join(", ")}`;
  return new LogError(
    "mismatch",
    `${which} already takes subjects below ${js.prefix}., so ${js.stream} cannot be made: ` +
      "give taskwire that stream's name, or another subject prefix",
    { cause },
  );
}

/** Pure. An empty stream counts from 0 while it is new, and from after its last record later. */
function toExtent({ created, state }: StreamInfo): Extent {
  const lastSeq = state.last_seq;
  return { epoch: epochOf(created), firstSeq: state.messages === 0 ? lastSeq + 1 : state.first_seq, lastSeq };
}

/**
 * The epoch of a stream made at `created` (RFC 3339): the nanosecond, in base 36, the same on every gateway. Pure.
 * A stream that is restored from a backup keeps its epoch, and a follower finds out by its records.
 */
export function epochOf(created: string): string {
  const seconds = Math.floor(Date.parse(created) / 1000);
  if (!Number.isFinite(seconds)) {
    throw new LogError("unreachable", `Cannot read the stream's creation time ${created}`);
  }
  const fraction = /\.(\d{1,9})/.exec(created)?.[1] ?? "";
  return (BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"))).toString(36);
}
