import { headers, type NatsConnection } from "nats.ws";
import * as v from "valibot";
import { type Partition, partitionOf, type Place, placeOf } from "../protocol/partitions.ts";
import { LogError } from "./event_log.ts";
import { answerOf, API_CODES, ApiError } from "./jetstream_api.ts";

/** To where a record is published, and the stream that has to take it. */
export type Destination = { readonly subject: string; readonly stream: string };

/** A log of which this is one part: records of tasks of every part are published below `prefix`, and NATS maps them. */
export type Partitioned = Partition & Place;

/**
 * Where a record goes whose subject is relative to the prefix; where it can go to no partition, why. Whoever publishes
 * needs to know of no partition: the stream is said so that a mapping other than ours stores nothing.
 */
export function destinationOf(
  whole: Place | Partitioned,
  relative: string,
): Destination | { readonly fault: string } {
  const subject = `${whole.prefix}.${relative}`;
  if (!("partitions" in whole)) return { subject, stream: whole.stream };
  const [namespace, id = "", ...rest] = relative.split(".");
  if (namespace !== "task" || rest.length !== 1) {
    return { fault: "subject: must be task.<id>.<kind> in a log of partitions" };
  }
  return { subject, stream: placeOf(whole, partitionOf(id, whole.partitions)).stream };
}

/** The line of NATS's configuration that sends the events of each task to the stream of its partition. */
export function mappingOf({ prefix, partitions }: Pick<Partitioned, "prefix" | "partitions">): string {
  return `"${prefix}.task.*.*": "${prefix}.part.{{partition(${partitions},1)}}.task.{{wildcard(1)}}.{{wildcard(2)}}"`;
}

/** How long NATS may take to answer, ms. */
const ANSWER_MS = 2_000;
/** A position that no stream is at: JetStream refuses what expects it, and so has told where it would have been stored. */
const NOWHERE = String(Number.MAX_SAFE_INTEGER);

const Answer = v.object({ stream: v.optional(v.string()) });

/** Where NATS brings what is published: to this stream, to another one, or to none. */
export type Mapped =
  | { readonly kind: "ours" }
  | { readonly kind: "other"; readonly why: string }
  | { readonly kind: "none" };

/**
 * Where NATS brings the events of this log, tried with some that no stream stores. Rejects as a request does, but for
 * silence, which is what a subject of no stream gets.
 */
export async function mappedTo(connection: NatsConnection, whole: Place | Partitioned): Promise<Mapped> {
  const probes = probesOf(whole);
  const tried = await Promise.all(probes.map(({ to }) => broughtTo(connection, to)));
  // Those of other partitions may have no stream yet, but must not come to another one, to this one least of all.
  return tried.find(({ kind }) => kind === "other") ??
    tried.find(({ kind }, i) => kind === "none" && probes[i]?.isOurs) ?? { kind: "ours" };
}

async function broughtTo(connection: NatsConnection, { stream, subject }: Destination): Promise<Mapped> {
  const expecting = headers();
  expecting.set("Nats-Expected-Stream", stream);
  expecting.set("Nats-Expected-Last-Sequence", NOWHERE);
  try {
    const reply = await connection.request(subject, "{}", { headers: expecting, timeout: ANSWER_MS });
    const { stream: taken } = answerOf(reply.data, Answer);
    return { kind: "other", why: `something was stored in ${taken}` };
  } catch (error) {
    if (error instanceof ApiError) {
      return error.errCode === API_CODES.wrongLastSequence
        ? { kind: "ours" }
        : { kind: "other", why: error.message };
    }
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "503" || code === "TIMEOUT") return { kind: "none" };
    throw error;
  }
}

/** So many tasks are tried of the part that is ours: a mapping to twice as many partitions has half of them right. */
const OWN_PROBES = 16;
/** So many of the others are tried, with a task each: a mapping to half as many has those right that are ours. */
const OTHER_PROBES = 48;

type Probe = { readonly to: Destination; readonly isOurs: boolean };

function probesOf(whole: Place | Partitioned): readonly Probe[] {
  const { partition: own = 0, partitions = 1 } = "partitions" in whole ? whole : {};
  const others = new Set<number>();
  const probes: Probe[] = [];
  for (let i = 0, ours = 0; ours < OWN_PROBES || others.size < Math.min(partitions - 1, OTHER_PROBES); i++) {
    const id = `taskwire-probe-${i}`;
    const partition = partitionOf(id, partitions);
    const isOurs = partition === own;
    if (isOurs ? ours++ >= OWN_PROBES : others.has(partition) || others.size === OTHER_PROBES) continue;
    if (!isOurs) others.add(partition);
    const to = destinationOf(whole, `task.${id}.created`);
    if ("fault" in to) throw new TypeError(to.fault);
    probes.push({ to, isOurs });
  }
  return probes;
}

/**
 * Rejects with {@link LogError} where NATS does not map the events of this partition to its stream: "mismatch" where it
 * brings them elsewhere, "unreachable" where to none, which it may until its servers have found each other.
 */
export async function assertMapped(connection: NatsConnection, whole: Partitioned): Promise<void> {
  const mapped = await mappedTo(connection, whole);
  if (mapped.kind === "ours") return;
  const { stream } = placeOf(whole, whole.partition);
  const why = mapped.kind === "none"
    ? "no stream takes them, or this user may not publish them once they are mapped"
    : mapped.why;
  throw new LogError(
    mapped.kind === "none" ? "unreachable" : "mismatch",
    `NATS does not bring the events of partition ${whole.partition} of ${whole.partitions} to ${stream} (${why}): ` +
      `its configuration needs mappings: { ${mappingOf(whole)} } in the account of the stream`,
  );
}
