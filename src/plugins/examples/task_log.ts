/**
 * Logs of tasks: lines published to `task:id:<task_id>:log` reach whoever watches that, every one of them, in order; who comes
 * later asks for all there is (`replay: "all"`), or reads it page by page. They are for whoever may see the task.
 *
 *     PLUGINS=src/plugins/examples/task_log.ts deno task start
 */
import * as v from "valibot";
import { definePlugin, definePluginMessage, PluginError } from "../plugin.ts";

/** A line: its text, and how loud it is. */
const Line = v.object({
  text: v.pipe(v.string(), v.maxLength(16_384)),
  level: v.optional(v.picklist(["debug", "info", "warn", "error"]), "info"),
});

const readLog = definePluginMessage({
  type: "read_log",
  schema: v.object({
    task_id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,128}$/, "must be 1–128 characters of A-Za-z0-9_-")),
    after_seq: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 0),
    limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000)), 100),
  }),
  cost: 5,
  async handle({ task_id: id, after_seq: afterSeq, limit }, asker, gateway) {
    if (!await gateway.maySee(asker, id)) {
      throw new PluginError("TASK_NOT_FOUND", `no task ${id}`, { task_id: id });
    }
    const { values, next_after_seq } = await gateway.read(`task:id:${id}:log`, { afterSeq, limit });
    const lines = values.map(({ seq, time, payload }) => ({
      seq,
      time: new Date(time).toISOString(),
      ...v.parse(Line, payload),
    }));
    return next_after_seq === undefined ? { lines } : { lines, next_after_seq };
  },
});

export default definePlugin({
  name: "task_log",
  namespaces: [{ name: "log", of: "task", conflation: "all", retained: false, payload: Line }],
  messages: [readLog],
});
