import { logTopic } from "../protocol/log_topic.ts";
import type { Publisher } from "./publisher.ts";

/** How loud a line is. */
export type Level = "debug" | "info" | "warn" | "error";

/**
 * Writes a line, of up to 16,384 characters. Resolves as soon as there is room for more; see {@link Publisher.send}. Where the
 * gateway keeps no logs the publisher's `onTrouble` is told.
 */
export type TaskLog = (text: string, level?: Level) => Promise<void>;

/** The log of a task, written by way of `publisher`: for gateways with the plug-in `task_log`. */
export function taskLog(publisher: Publisher, taskId: string): TaskLog {
  const topic = logTopic(taskId);
  return async (text, level = "info") => await publisher.send(topic, { text, level });
}
