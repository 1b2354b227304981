/**
 * Logs of tasks: lines published to `task:id:<task_id>:log` reach whoever watches that, every one of them, in order; who comes
 * later asks for all there is (`replay: "all"`), or reads it page by page. They are for whoever may see the task.
 *
 *     PLUGINS=src/plugins/examples/task_log.ts deno task start
 */
import * as v from "valibot";
import { LEVELS, MAX_LINE_CHARS } from "../../protocol/log_line.ts";
import { TaskId } from "../../protocol/names.ts";
import { printTopic } from "../../protocol/topics.ts";
import { definePlugin, definePluginMessage, PluginError } from "../plugin.ts";

const NAMESPACE = "log";

/** A line: its text, and how loud it is. */
const Line = v.object({
  text: v.pipe(v.string(), v.maxLength(MAX_LINE_CHARS)),
  level: v.optional(v.picklist(LEVELS), "info"),
});

const Position = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** As `logTopic` has it for who loads no gateway. */
function topicOf(taskId: TaskId): string {
  return printTopic({ kind: "channel", namespace: NAMESPACE, name: taskId, taskId });
}

const readLog = definePluginMessage({
  type: "read_log",
  schema: v.object({
    task_id: TaskId,
    /** Reads on towards the end: lines after this position. */
    after_seq: v.optional(Position, 0),
    /** Reads on towards the beginning instead: the last lines before this position. */
    before_seq: v.optional(Position),
    /** Those as loud as that, of the `limit` that are looked through. */
    level: v.optional(v.picklist(LEVELS), "debug"),
    limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000)), 100),
  }),
  cost: 5,
  async handle(asked, asker, gateway) {
    const { task_id: id, after_seq: afterSeq, before_seq: beforeSeq, level: least, limit } = asked;
    if (!await gateway.sees(asker, id)) {
      throw new PluginError("TASK_NOT_FOUND", `no task ${id}`, { task_id: id });
    }
    const where = beforeSeq === undefined ? { afterSeq } : { beforeSeq };
    const { values, ...next } = await gateway.read(topicOf(id), { ...where, limit, asker });
    const lines = values.flatMap(({ seq, time, payload }) => {
      const line = v.parse(Line, payload);
      const isLoud = LEVELS.indexOf(line.level) >= LEVELS.indexOf(least);
      return isLoud ? [{ seq, time: new Date(time).toISOString(), ...line }] : [];
    });
    return { lines, ...next };
  },
});

export default definePlugin({
  name: "task_log",
  namespaces: [{ name: NAMESPACE, of: "task", conflation: "all", retained: false, payload: Line }],
  messages: [readLog],
});
