import * as v from "valibot";
import { EVERYBODY } from "../access/access.ts";
import { brokenRule, ChannelPublication } from "../protocol/client_frames.ts";
import { isTaskId } from "../protocol/names.ts";
import type { ErrorBody, TaskStatusData } from "../protocol/server_frames.ts";
import { PluginError, type PluginGateway } from "../plugins/plugin.ts";
import type { Appended, NewEntry } from "../log/event_log.ts";
import { namesOf } from "../projection/delivery.ts";
import type { Projection } from "../projection/projection.ts";
import type { Turns } from "../projection/turns.ts";
import type { Publishing } from "../projection/publishing.ts";
import type { TaskRecord } from "../projection/task_table.ts";
import { readChannel } from "./channel_page.ts";
import { statusData } from "../task/task.ts";
import { eventSubject, isKind, KINDS, parseBody } from "../task/worker_event.ts";

const encoder = new TextEncoder();

/** What of a gateway plug-ins are given, in a form of their own. */
export type PluginGatewayDeps = {
  readonly projection: Projection;
  /** Whose turn it is to read the past. */
  readonly turns: Turns;
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
    async sees({ access: { scope } }, taskId) {
      if (!isTaskId(taskId)) return false;
      if (scope.sees({ taskId, tags: [] })) return true;
      const state = projection.tasks.get(taskId)?.state ?? (await projection.stateFromLog(taskId))?.state;
      return state !== undefined && scope.sees(namesOf(state));
    },
    childrenOf: (taskId) => {
      if (!isTaskId(taskId)) return [];
      const { records } = projection.tasks.candidates({ parent_id: taskId });
      return [...records].flatMap((record) =>
        record.state.greatest.created?.body.parent_id === taskId ? told(record) ?? [] : []
      );
    },
    parents: () => projection.tasks.parents(),
    read: (topic, page) => readChannel(deps, topic, page),
  };
}

function told(record: TaskRecord | undefined): TaskStatusData | undefined {
  return record && statusData(record.state, record.pace);
}

function refusalError({ code, message, details }: ErrorBody): PluginError {
  return new PluginError(code, message, details);
}
