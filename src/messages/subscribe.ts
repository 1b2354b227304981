import { refusalOf } from "../access/may.ts";
import type * as v from "valibot";
import type { Outcome } from "../connection/state.ts";
import type { RequestContext } from "../connection/connection_deps.ts";
import type { Start } from "../connection/flow.ts";
import type { TaskQueries } from "../projection/queries.ts";
import type { Namespaces } from "../channel/namespaces.ts";
import { type Cursor, SubscribeData } from "../protocol/client_frames.ts";
import { otherPartition, type Partition } from "../protocol/partitions.ts";
import type { ErrorBody } from "../protocol/server_frames.ts";
import { parseTopic, pathAllows } from "../protocol/topics.ts";
import { defineMessage, type MessageType, refuse } from "./message_type.ts";
import { paceMsOf } from "./pace.ts";

/** `subscribe`: all of the topics or none. Where `own` is given, those of tasks of other partitions are not here. */
export function subscribe(
  queries: TaskQueries,
  namespaces: Namespaces,
  own?: Partition,
): MessageType<typeof SubscribeData> {
  return defineMessage({
    type: "subscribe",
    schema: SubscribeData,
    cost: 1,
    answeredBy: "subscribed",
    handle(data, context) {
      const unknown = refusedAsUnknown(data.topics, context.path, namespaces);
      if (unknown !== undefined) return unknown;
      const refused = refusalOf(context.access, { right: "subscribe", topics: data.topics });
      if (refused !== undefined) return { kind: "error", error: refused };
      const elsewhere = own === undefined ? undefined : topicsElsewhere(data.topics, own);
      if (elsewhere !== undefined) return { kind: "error", error: elsewhere };
      const topics = [...new Set(data.topics)];
      const pace = data.max_rate_hz === undefined ? {} : { paceMs: paceMsOf(data.max_rate_hz) };
      const start = startOf(data, context, queries);
      return start instanceof Promise
        ? start.then((late) =>
          // A namespace may have gone meanwhile.
          refusedAsUnknown(topics, context.path, namespaces) ??
            { kind: "subscribe", topics, start: late, ...pace }
        )
        : { kind: "subscribe", topics, start, ...pace };
    },
  });
}

/** The answer where some of `topics` do not exist, or not on this path; undefined where all do. */
function refusedAsUnknown(
  topics: readonly string[],
  path: string,
  namespaces: Namespaces,
): Outcome | undefined {
  const unknown = topics.filter((text) => {
    const topic = parseTopic(text);
    return topic === undefined || !namespaces.has(topic) || !pathAllows(path, text);
  });
  const [first] = unknown;
  if (first === undefined) return undefined;
  const why = parseTopic(first)?.kind === "channel" ? namespaces.whyNone : "";
  return refuse("TOPIC_NOT_FOUND", `no such topic on ${path}: ${first}${why}`, { topics: unknown });
}

/** Names the first topic of a task of another partition, and those that are of the same one; undefined where there is none. */
function topicsElsewhere(topics: readonly string[], own: Partition): ErrorBody | undefined {
  const tasks = topics.flatMap((topic) => {
    const parsed = parseTopic(topic);
    return parsed?.kind === "task" ? [{ topic, other: otherPartition(parsed.taskId, own) }] : [];
  });
  const first = tasks.find(({ other }) => other !== undefined);
  if (first?.other === undefined) return undefined;
  const { other } = first;
  const there = tasks.filter((task) => task.other?.partition === other.partition);
  return {
    code: "TOPIC_NOT_FOUND",
    message:
      `${first.topic} is of partition ${other.partition} of ${other.partitions}, and here is ${own.partition}`,
    details: { topics: there.map(({ topic }) => topic), ...other },
  };
}

type Asked = v.InferOutput<typeof SubscribeData>;

/** Where serving is to begin. The log is asked only when a cursor is older than what is in memory. */
function startOf(data: Asked, context: RequestContext, queries: TaskQueries): Start | Promise<Start> {
  const { since, replay = "latest", topics } = data;
  if (since === undefined) return replay === "all" ? fromTheFirst(topics, queries) : { kind: replay };
  if (since.epoch !== context.epoch) {
    return anotherEpoch(context);
  }
  const isRecent = queries.isRecent(since.seq) && since.seq <= context.head;
  return isRecent ? { kind: "since", ...since } : fromCursor({ since, topics }, context, queries);
}

async function fromTheFirst(topics: readonly string[], queries: TaskQueries): Promise<Start> {
  const { epoch, firstSeq } = await queries.extent();
  const truncated = firstSeq > 1 || await lostOf(topics, queries) > 0;
  return { kind: "all", epoch, from: firstSeq - 1, truncated };
}

/** Up to where any of the topics may have lost what cannot be merged. */
async function lostOf(topics: readonly string[], queries: TaskQueries): Promise<number> {
  let lost = 0;
  // One after the other: a request that names many is to take no more turns than others.
  for (const topic of new Set(topics)) lost = Math.max(lost, await queries.lostOf(topic));
  return lost;
}

function anotherEpoch({ head }: RequestContext): Start {
  return { kind: "gap", gap: { missed_from: 1, missed_to: head, reason: "epoch" } };
}

async function fromCursor(
  { since, topics }: { readonly since: Cursor; readonly topics: readonly string[] },
  context: RequestContext,
  queries: TaskQueries,
): Promise<Start> {
  const { epoch, firstSeq, lastSeq } = await queries.extent(since.seq);
  // A cursor beyond the end is of records that the log has lost: what comes in their place is another history.
  if (since.epoch !== epoch || since.seq > lastSeq) return anotherEpoch(context);
  const missedTo = Math.max(firstSeq - 1, await lostOf(topics, queries));
  if (since.seq >= missedTo) return { kind: "since", ...since };
  return { kind: "gap", gap: { missed_from: since.seq + 1, missed_to: missedTo, reason: "retention" } };
}
