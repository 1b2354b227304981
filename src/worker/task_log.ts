import { type Level, LEVELS, MAX_LINE_CHARS } from "../protocol/log_line.ts";
import { logTopic } from "../protocol/log_topic.ts";
import type { Publisher } from "./publisher.ts";
import { WorkerError } from "./worker_error.ts";

export type { Level } from "../protocol/log_line.ts";

/**
 * Writes a line, of up to 16,384 characters. Resolves as soon as there is room for more; see {@link Publisher.send}. Rejects with a
 * {@link WorkerError} `invalid` where it is no line. Where the gateway keeps no logs the publisher's `onTrouble` is told; one that
 * publishes to NATS itself is told by nobody: what it wrote is in the log, and `rejected` by every gateway.
 */
export type TaskLog = (text: string, level?: Level) => Promise<void>;

/** The log of a task, written by way of `publisher`: for gateways with the plug-in `task_log`. */
export function taskLog(publisher: Publisher, taskId: string): TaskLog {
  const topic = logTopic(taskId);
  return async (text, level = "info") => {
    // Here, since who publishes to NATS has nobody else to say it.
    if (typeof text !== "string" || text.length > MAX_LINE_CHARS) {
      throw new WorkerError("invalid", `text: must be a text of at most ${MAX_LINE_CHARS} characters`);
    }
    if (!LEVELS.includes(level)) {
      throw new WorkerError("invalid", `level: must be one of ${LEVELS.join(", ")}`);
    }
    await publisher.send(topic, { text, level });
  };
}
