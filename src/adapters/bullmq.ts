import * as v from "valibot";
import type { SaidEvent } from "./forwarder.ts";

/** The events of BullMQ's `QueueEvents` that say something of a job as a task. */
export const BULLMQ_EVENTS = [
  "added",
  "active",
  "progress",
  "waiting",
  "delayed",
  "waiting-children",
  "completed",
  "failed",
  "removed",
] as const;

/** One of {@link BULLMQ_EVENTS}. */
export type BullmqEvent = (typeof BULLMQ_EVENTS)[number];

/** What is remembered of a job: its attempt in taskwire, and what it is doing. */
type Job = { readonly attempt: number; readonly phase: "waiting" | "active" | "paused" | "ended" };

/** Jobs whose attempts are known; of one that is forgotten they are counted from 1 again. */
const MAX_JOBS = 100_000;
const MAX_TEXT = 4_096;

const Args = v.object({
  jobId: v.pipe(v.string(), v.minLength(1)),
  name: v.optional(v.string()),
  data: v.optional(v.unknown()),
  returnvalue: v.optional(v.unknown()),
  failedReason: v.optional(v.string()),
});

/** The counters that a job may name in an object given to `updateProgress`. */
const Counters = v.object({
  total: v.optional(v.pipe(v.number(), v.minValue(0))),
  completed: v.optional(v.pipe(v.number(), v.minValue(0))),
  failed: v.optional(v.pipe(v.number(), v.minValue(0))),
  percentage: v.optional(v.number()),
  current: v.optional(v.pipe(v.string(), v.maxLength(MAX_TEXT))),
  status: v.optional(v.pipe(v.string(), v.maxLength(MAX_TEXT))),
});

/** A job's id in taskwire: `<queue>-<job>`, where whatever has no room in it is written as `_` and its code. */
export function bullmqTaskId(queue: string, jobId: string): string {
  return `${queue}-${jobId}`
    .replaceAll(/[^A-Za-z0-9_-]/gu, (odd) => `_${odd.codePointAt(0)?.toString(16)}`).slice(0, 128);
}

/**
 * What a queue's events say of its jobs as tasks. It remembers of each job which attempt it is in, since the events do not say:
 * so give it all that the queue retains (`lastEventId: "0-0"`). What comes again is known by its id.
 */
export class BullmqJobs {
  readonly #queue: string;
  readonly #jobs = new Map<string, Job>();

  constructor(queue: string) {
    this.#queue = queue;
  }

  /** What `args` and `id`, which `QueueEvents` hands to a listener of `name`, say; undefined where it is no news of a task. */
  said(name: BullmqEvent, args: unknown, id: string): SaidEvent | undefined {
    const parsed = v.safeParse(Args, args);
    if (!parsed.success) return undefined;
    const { jobId } = parsed.output;
    const before: Job = this.#jobs.get(jobId) ?? { attempt: 1, phase: "waiting" };
    const step = stepOf(name, parsed.output, before, this.#queue);
    if (step === undefined) return undefined;
    this.#remember(jobId, step.job);
    const taskId = bullmqTaskId(this.#queue, jobId);
    // The id is that of an entry of a Redis stream: when it was added, and a number.
    const atMs = Number(id.split("-", 1)[0]);
    const { kind, body } = step;
    return { taskId, kind, body, atMs: Number.isSafeInteger(atMs) ? atMs : Date.now(), id: `bullmq-${id}` };
  }

  #remember(jobId: string, job: Job): void {
    this.#jobs.delete(jobId);
    this.#jobs.set(jobId, job);
    for (const oldest of this.#jobs.keys()) {
      if (this.#jobs.size <= MAX_JOBS) break;
      this.#jobs.delete(oldest);
    }
  }
}

type Step = Pick<SaidEvent, "kind" | "body"> & { readonly job: Job };

/** What a job does next. Pure. */
function stepOf(
  name: BullmqEvent,
  args: v.InferOutput<typeof Args>,
  before: Job,
  queue: string,
): Step | undefined {
  const { attempt, phase } = before;
  switch (name) {
    case "added": {
      const called = (args.name ?? "").slice(0, 512);
      const about = called === "" ? {} : { name: called };
      return { kind: "created", body: { ...about, type: queue.slice(0, 64) }, job: before };
    }
    case "active": {
      const next = phase === "ended" ? attempt + 1 : attempt;
      const kind = phase === "paused" ? "resumed" : "started";
      return { kind, body: { attempt: next }, job: { attempt: next, phase: "active" } };
    }
    case "progress":
      return { kind: "progress", body: { attempt, ...countersIn(args.data) }, job: before };
    case "waiting":
    case "delayed": {
      // It waits for its first attempt, of which nothing is to be said, or for the next.
      if (phase === "waiting") return undefined;
      if (phase === "paused") {
        return { kind: "resumed", body: { attempt }, job: { attempt, phase: "active" } };
      }
      const next = attempt + 1;
      return { kind: "retrying", body: { attempt: next }, job: { attempt: next, phase: "waiting" } };
    }
    case "waiting-children":
      return { kind: "paused", body: { attempt }, job: { attempt, phase: "paused" } };
    case "completed": {
      const result = args.returnvalue === undefined ? {} : { result: args.returnvalue };
      return { kind: "completed", body: { attempt, ...result }, job: { attempt, phase: "ended" } };
    }
    case "failed": {
      const error = (args.failedReason ?? "").slice(0, MAX_TEXT) || "it failed";
      return {
        kind: "failed",
        body: { attempt, error: { message: error } },
        job: { attempt, phase: "ended" },
      };
    }
    case "removed":
      if (phase === "ended") return undefined;
      return {
        kind: "cancelled",
        body: { attempt, reason: "removed from the queue" },
        job: { attempt, phase: "ended" },
      };
  }
}

/** What a job told by `updateProgress`: a percentage, counters, or whatever it is as text. */
function countersIn(data: unknown): Readonly<Record<string, unknown>> {
  if (typeof data === "number" && Number.isFinite(data)) return { percentage: data };
  const counters = v.safeParse(Counters, data);
  if (counters.success && Object.keys(counters.output).length > 0) return counters.output;
  const text = typeof data === "string" ? data : JSON.stringify(data) ?? "";
  return { current: text.slice(0, MAX_TEXT) };
}
