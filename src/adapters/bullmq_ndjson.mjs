// @ts-check
// deno-lint-ignore-file explicit-module-boundary-types -- the types are in comments, for any Node to run it
/**
 * Tells taskwire of the jobs of BullMQ's queues: a line of JSON for each thing that happens to one. Put this file where `bullmq`
 * is found, and have `pipe` read what it writes:
 *
 *     REDIS_URL=redis://127.0.0.1:6379 node bullmq_ndjson.mjs mail invoices | deno task cli pipe
 *
 * A connection that takes more than an address is made by a script of yours:
 *
 *     import { tell } from "./bullmq_ndjson.mjs";
 *     const events = new QueueEvents("mail", { connection, lastEventId: "0-0" }); // from the oldest that is retained
 *     tell(events, { queue: new Queue("mail", { connection }) });
 */
import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const EVENTS = [
  "added",
  "active",
  "progress",
  "waiting",
  "delayed",
  "waiting-children",
  "completed",
  "failed",
  "removed",
];

/** Jobs of which it is known what they are doing; one that is forgotten is asked for again. */
const MAX_JOBS = 100_000;
const MAX_TEXT = 4_096;
/** A task's id has room for so many characters. */
const ID_CHARS = 128;
/** An event has room for 65,536 bytes. */
const RESULT_BYTES = 49_152;

/**
 * @typedef {{ jobId: string, name?: string, data?: unknown, returnvalue?: unknown, failedReason?: string }} Args What BullMQ
 * tells with an event.
 * @typedef {{ attempt: number, phase: "waiting" | "active" | "paused" | "ended" }} Job What a job is doing.
 * @typedef {{ attemptsStarted?: number, parent?: { id: string, queueKey: string } }} Asked A job as its queue has it.
 * @typedef {{ name: string, on: (event: any, listener: (args: any, id: string) => void) => unknown }} Events BullMQ's
 * `QueueEvents`.
 * @typedef {{ getJob: (id: string) => Promise<Asked | undefined> }} Queue BullMQ's `Queue`.
 */

/**
 * Writes a line for whatever `events` tell of jobs from now on. They tell neither a job's parent nor, of one that began before
 * the oldest of them, its attempt: for these `queue` is asked.
 *
 * @param {Events} events
 * @param {{ queue?: Queue, write?: (line: string) => void }} [options] Lines go to standard output unless `write` takes them.
 * @returns {void}
 */
export function tell(events, { queue, write = (line) => process.stdout.write(line) } = {}) {
  /** @type {Map<string, Job>} */
  const jobs = new Map();
  let turn = Promise.resolve();
  /** @type {(event: string, args: Args, id: string) => Promise<void>} */
  const hear = async (event, args, id) => {
    const before = jobs.get(args.jobId);
    const asked = before === undefined ? await queue?.getJob(args.jobId).catch(() => undefined) : undefined;
    const attempt = event === "added" ? 1 : Math.max(1, asked?.attemptsStarted ?? 1);
    const { job, ...said } = next(event, args, before ?? { attempt, phase: "waiting" });
    jobs.delete(args.jobId);
    jobs.set(args.jobId, job);
    for (const [oldest] of jobs) {
      if (jobs.size <= MAX_JOBS) break;
      jobs.delete(oldest);
    }
    if (said.kind === undefined) return;
    const about = said.kind === "created"
      ? { type: events.name.slice(0, 64), ...parentOf(asked) }
      : { attempt: job.attempt };
    // The id is of an entry of a Redis stream: when it was added, in ms, and a number.
    const when = { event_id: `bullmq-${id}`, at: parseInt(id) };
    write(`${JSON.stringify({ task_id: taskId(events.name, args.jobId), ...when, ...about, ...said })}\n`);
  };
  for (const event of EVENTS) {
    events.on(event, (args, id) => {
      // One after the other, as they happened, though some have to be asked about.
      turn = turn.then(() => hear(event, args, id));
    });
  }
}

/**
 * A job's id in taskwire: `<queue>-<job>`, and no other job's. So `_` is written `__`, each `-` of the queue's name `--`, and each
 * byte that has no room in it, and a `-` at which a job's id begins, as `_` and two hexadecimal digits. Of what is longer than an
 * id may be the end is `_h` and a digest of both.
 *
 * @param {string} queue
 * @param {string} jobId
 * @returns {string}
 */
export function taskId(queue, jobId) {
  const parts = [
    ...Array.from(queue, (char) => char === "-" ? "--" : written(char)),
    "-",
    ...Array.from(jobId, (char, i) => char === "-" && i === 0 ? "_2d" : written(char)),
  ];
  const whole = parts.join("");
  if (whole.length <= ID_CHARS) return whole;
  const end = `_h${createHash("sha256").update(JSON.stringify([queue, jobId])).digest("hex").slice(0, 40)}`;
  let begin = "";
  for (const part of parts) {
    if (begin.length + part.length + end.length > ID_CHARS) break;
    begin += part;
  }
  return begin + end;
}

/** @type {(char: string) => string} */
function written(char) {
  if (char === "_") return "__";
  if (/^[A-Za-z0-9-]$/.test(char)) return char;
  return Array.from(Buffer.from(char), (byte) => `_${byte.toString(16).padStart(2, "0")}`).join("");
}

/** @type {(asked: Asked | undefined) => { parent_id?: string }} */
function parentOf(asked) {
  if (asked?.parent === undefined) return {};
  const { id, queueKey } = asked.parent;
  return { parent_id: taskId(queueKey.slice(queueKey.lastIndexOf(":") + 1), id) };
}

/**
 * What a job is doing after an event, and what is to be said of it; nothing is where `kind` is missing. Pure.
 *
 * @type {(event: string, args: Args, before: Job) => { job: Job, kind?: string, [member: string]: unknown }}
 */
function next(event, args, before) {
  const { attempt, phase } = before;
  switch (event) {
    case "added":
      return { kind: "created", ...(args.name ? { name: args.name.slice(0, 512) } : {}), job: before };
    case "active": {
      /** @type {Job} */
      const job = { attempt: phase === "ended" ? attempt + 1 : attempt, phase: "active" };
      return { kind: phase === "paused" ? "resumed" : "started", job };
    }
    case "progress":
      return { kind: "progress", ...counters(args.data), job: before };
    case "waiting":
    case "delayed":
      // It waits for its first attempt, or has its children, of which nothing is to be said; or it waits for the next attempt.
      if (phase === "waiting" || phase === "paused") return { job: before };
      return { kind: "retrying", job: { attempt: attempt + 1, phase: "waiting" } };
    case "waiting-children":
      return phase === "active" ? { kind: "paused", job: { attempt, phase: "paused" } } : { job: before };
    case "completed":
      return { kind: "completed", ...result(args.returnvalue), job: { attempt, phase: "ended" } };
    case "failed": {
      const message = (args.failedReason ?? "").slice(0, MAX_TEXT) || "it failed";
      return { kind: "failed", error: { message }, job: { attempt, phase: "ended" } };
    }
    case "removed":
      if (phase === "ended") return { job: before };
      return { kind: "cancelled", reason: "removed from the queue", job: { attempt, phase: "ended" } };
    default:
      return { job: before };
  }
}

/** @type {(value: unknown) => { result?: unknown }} */
function result(value) {
  const bytes = Buffer.byteLength(JSON.stringify(value) ?? "");
  return bytes === 0 || bytes > RESULT_BYTES ? {} : { result: value };
}

/**
 * What a job told by `updateProgress`: a percentage, counters, or whatever it is as text.
 *
 * @type {(data: unknown) => Record<string, unknown>}
 */
function counters(data) {
  if (typeof data === "number") return { percentage: data };
  const members = typeof data === "object" && data !== null ? Object.entries(data) : [];
  const known = members.filter(([name, value]) =>
    typeof value === (["current", "status"].includes(name) ? "string" : "number") &&
    ["total", "completed", "failed", "percentage", "current", "status"].includes(name)
  ).map(([name, value]) => [name, typeof value === "string" ? value.slice(0, MAX_TEXT) : value]);
  if (known.length > 0) return Object.fromEntries(known);
  return { current: (typeof data === "string" ? data : JSON.stringify(data) ?? "").slice(0, MAX_TEXT) };
}

if (realpathSync(process.argv[1] ?? ".") === fileURLToPath(import.meta.url)) {
  const { Queue, QueueEvents } = await import("bullmq");
  const connection = { url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379" };
  for (const name of process.argv.slice(2)) {
    const events = new QueueEvents(name, { connection, lastEventId: "0-0" });
    const queue = new Queue(name, { connection });
    for (const connected of /** @type {import("node:events").EventEmitter[]} */ ([events, queue])) {
      // It connects anew by itself.
      connected.on("error", (error) => process.stderr.write(`${name}: ${error}\n`));
    }
    tell(events, { queue });
  }
}
