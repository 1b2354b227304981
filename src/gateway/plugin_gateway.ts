import * as v from "valibot";
import { parseUpdate } from "../channel/channel_update.ts";
import { EVERYBODY } from "../access/access.ts";
import { brokenRule, ChannelPublication } from "../protocol/client_frames.ts";
import { isTaskId } from "../protocol/names.ts";
import { parseTopic } from "../protocol/topics.ts";
import type { ErrorBody, TaskStatusData } from "../protocol/server_frames.ts";
import { type ChannelPage, PluginError, type PluginGateway } from "../plugins/plugin.ts";
import type { Appended, NewEntry } from "../log/event_log.ts";
import { namesOf } from "../projection/delivery.ts";
import type { Projection } from "../projection/projection.ts";
import type { Publishing } from "../projection/publishing.ts";
import type { TaskRecord } from "../projection/task_table.ts";
import { statusData } from "../task/task.ts";
import { eventSubject, isKind, KINDS, parseBody } from "../task/worker_event.ts";

/** The most values of one page. */
const MAX_LIMIT = 1_000;
const PAGE_BYTES = 1_048_576;

const encoder = new TextEncoder();

/** What of a gateway plug-ins are given, in a form of their own. */
export type PluginGatewayDeps = {
  readonly projection: Projection;
  readonly publishing: Publishing;
  readonly append: (entries: readonly NewEntry[]) => Promise<readonly Appended[]>;
};

/** What plug-ins may do with a gateway. */
export function pluginGateway(deps: PluginGatewayDeps): PluginGateway {
  const { projection, publishing, append } = deps;
  return {
    async publish(topic, payload, { key, eventId } = {}) {
      const given = { topic, payload, key, event_id: eventId };
      const parsed = v.safeParse(ChannelPublication, given, { abortEarly: true });
      if (!parsed.success) throw new PluginError("INVALID_MESSAGE", brokenRule(parsed.issues));
      const told = await publishing.publish(EVERYBODY, parsed.output);
      if ("refused" in told) throw refusalError(told.refused);
      return told.seq;
    },
    async append(taskId, kind, body, { eventId } = {}) {
      if (!isTaskId(taskId)) throw new RangeError(`${JSON.stringify(taskId)} is no task id`);
      if (!isKind(kind)) throw new RangeError(`kind: must be one of ${KINDS.join(", ")}`);
      const parsed = parseBody(kind, body);
      if ("rejected" in parsed) throw new RangeError(parsed.rejected);
      const [appended] = await append([{
        subject: eventSubject(taskId, kind),
        body: encoder.encode(JSON.stringify(body)),
        ...(eventId === undefined ? {} : { id: `${taskId} plugin ${eventId}` }),
      }]);
      if (appended === undefined) throw new Error("the log says nothing of what it appended");
      return appended.seq;
    },
    task: (taskId) => told(projection.tasks.get(taskId)),
    async maySee({ access: { scope } }, taskId) {
      if (!isTaskId(taskId)) return false;
      const state = projection.tasks.get(taskId)?.state ?? (await projection.stateFromLog(taskId))?.state;
      return scope.sees(state === undefined ? { taskId, tags: [] } : namesOf(state));
    },
    childrenOf: (taskId) => {
      if (!isTaskId(taskId)) return [];
      const { records } = projection.tasks.candidates({ parent_id: taskId });
      return [...records].flatMap((record) =>
        record.state.greatest.created?.body.parent_id === taskId ? told(record) ?? [] : []
      );
    },
    read: (topic, page) => readChannel(projection, topic, page),
  };
}

function told(record: TaskRecord | undefined): TaskStatusData | undefined {
  return record && statusData(record.state, record.pace);
}

function refusalError({ code, message, details }: ErrorBody): PluginError {
  return new PluginError(code, message, details);
}

async function readChannel(
  projection: Projection,
  topic: string,
  { afterSeq, limit }: { readonly afterSeq: number; readonly limit: number },
): Promise<ChannelPage> {
  if (parseTopic(topic)?.kind !== "channel") throw new RangeError(`${JSON.stringify(topic)} is no channel`);
  const { head } = projection;
  const { entries, through } = await projection.readTask(topic, {
    after: afterSeq,
    upTo: head,
    limit: Math.min(MAX_LIMIT, Math.max(1, Math.floor(limit))),
    maxBytes: PAGE_BYTES,
  });
  const values = entries.flatMap((entry) => {
    const parsed = parseUpdate(entry, projection.namespaces);
    if ("rejected" in parsed) return [];
    const { seq, time, key, json } = parsed.update;
    return [{ seq, time, ...(key === "" ? {} : { key }), payload: JSON.parse(json) }];
  });
  return through < head ? { values, next_after_seq: through } : { values };
}
