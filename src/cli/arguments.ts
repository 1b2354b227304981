import { InvalidArgumentError } from "commander";
import type { At } from "../client/client.ts";
import { TASK_STATUSES, type TaskStatus } from "../protocol/client_frames.ts";
import { isTag, isTaskId } from "../protocol/names.ts";
import { parseTopic, printTopic } from "../protocol/topics.ts";

// Each reads one argument, or throws the InvalidArgumentError whose message is the rule; commander names the argument.

/** A task's id. */
export function taskId(text: string): string {
  if (isTaskId(text)) return text;
  throw new InvalidArgumentError("It must be 1–128 characters of A-Za-z0-9_-.");
}

/** A tag. */
export function tag(text: string): string {
  if (isTag(text)) return text;
  throw new InvalidArgumentError("It must be 1–64 letters, digits or ._@/+=-.");
}

/** Tags, one after the other. */
export function tags(text: string, before: readonly string[] = []): readonly string[] {
  if (before.length === 16) throw new InvalidArgumentError("A task has at most 16 tags.");
  return [...before, tag(text)];
}

/** Topics, one after the other; a bare task id stands for the topic of that task. */
export function topics(text: string, before: readonly string[] = []): readonly string[] {
  const topic = parseTopic(isTaskId(text) ? `task:id:${text}` : text);
  if (topic !== undefined) return [...before, printTopic(topic)];
  throw new InvalidArgumentError(
    "It must be task:progress, task:status, task:list, task:id:<id>, task:tag:<tag>, " +
      "the last two also with :progress or :status, a channel such as data:<name>, or a task's id.",
  );
}

/** The topic of a channel. */
export function channel(text: string): string {
  if (parseTopic(text)?.kind === "channel") return text;
  throw new InvalidArgumentError("It must be a channel such as data:<name> or strategy:<name>.");
}

/** By which the log knows again what is sent twice. */
export function eventId(text: string): string {
  if (/^[\x21-\x7e]{1,100}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be 1–100 visible ASCII characters.");
}

/** A task's status. */
export function status(text: string): TaskStatus {
  const known = TASK_STATUSES.find((candidate) => candidate === text);
  if (known !== undefined) return known;
  throw new InvalidArgumentError(`It must be one of ${TASK_STATUSES.join(", ")}.`);
}

/** Text of 1 to `max` characters. */
export function text(max: number): (text: string) => string {
  return (text) => {
    if (text.length >= 1 && text.length <= max) return text;
    throw new InvalidArgumentError(`It must be 1–${max} characters.`);
  };
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,16}$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** A number of items: from 0 to 2⁵³−1, fractions allowed. */
export function count(text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value <= Number.MAX_SAFE_INTEGER) return value;
  throw new InvalidArgumentError(`It must be a number from 0 to ${Number.MAX_SAFE_INTEGER}.`);
}

/** A share in percent, with or without the sign. */
export function percentage(text: string): number {
  const value = Number(text.replace(/%$/, ""));
  if (/^\d{1,3}(\.\d+)?%?$/.test(text) && value <= 100) return value;
  throw new InvalidArgumentError("It must be a number from 0 to 100.");
}

/** How often a second. */
export function rateHz(text: string): number {
  const value = Number(text);
  if (/^\d{1,2}(\.\d{1,6})?$/.test(text) && value >= 0.1 && value <= 50) return value;
  throw new InvalidArgumentError("It must be a number from 0.1 to 50.");
}

const FASTEST = 1_000_000;

/** How many times as fast: `10x`, `0.5x`, `10`. */
export function speed(text: string): number {
  const value = Number(text.replace(/x$/i, ""));
  if (/^\d{1,7}(\.\d{1,6})?x?$/i.test(text) && value > 0 && value <= FASTEST) return value;
  throw new InvalidArgumentError(`It must be a factor such as 10x or 0.5x, above 0 and at most ${FASTEST}x.`);
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_MS = 86_400_000;

/** A duration such as `500ms`, `10s`, `5m`, at most a day; in ms. */
export function durationMs(text: string): number {
  const [, amount, unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const value = Number(amount) * (UNIT_MS[unit] ?? NaN);
  if (value >= 0 && value <= LONGEST_MS) return value;
  throw new InvalidArgumentError("It must be a duration such as 500ms, 10s or 5m, at most 1d.");
}

/** A point of the past: a position of the stream (digits), or an RFC 3339 time. */
export function at(text: string): At {
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return { seq: Number(text) };
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/i.test(text);
  if (isTime && !Number.isNaN(Date.parse(text))) return { time: new Date(text).toISOString() };
  throw new InvalidArgumentError(
    "It must be a position of the stream such as 4711, or a time such as 2026-01-01T12:00:00Z.",
  );
}

/** A JSON object. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  const value = parsed(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new InvalidArgumentError('It must be a JSON object such as {"total": 10}.');
}

/** Any JSON; what is none is taken for text. */
export function jsonOrText(text: string): unknown {
  const value = parsed(text);
  return value === undefined ? text : value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
