/**
 * Logs of tasks: lines published to `log:<task_id>` reach whoever watches that channel, every one of them, in order; who comes
 * later asks for all there is (`replay: "all"`), or reads it page by page.
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
  async handle({ task_id: id, after_seq: afterSeq, limit }, { access }, gateway) {
    const topic = `log:${id}`;
    if (!access.scope.allows(topic)) {
      throw new PluginError("FORBIDDEN", `the token is not for ${topic}`, { topics: [topic] });
    }
    const { values, next_after_seq } = await gateway.read(topic, { afterSeq, limit });
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
  namespaces: [{ name: "log", conflation: "all", retained: false, payload: Line }],
  messages: [readLog],
});
