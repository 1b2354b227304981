import type { TaskId } from "../protocol/names.ts";
import type { Kind } from "../task/worker_event.ts";
import type { Clock } from "./clock.ts";
import type { Counters } from "./counters.ts";
import { Heartbeat } from "./heartbeat.ts";
import { HeldProgress } from "./held_progress.ts";
import { check, type Outgoing, outgoing } from "./outgoing.ts";
import type { OnTrouble, Outcome } from "./sender.ts";
import { taskError } from "./task_error.ts";
import { type Trackable, Tracked, type TrackOptions } from "./track.ts";
import type { CancelRequest, Stored } from "./transport.ts";
import { WorkerError } from "./worker_error.ts";

/** What a task is. What is left out stays unknown. */
export type About = {
  /** What people call it, up to 512 characters. */
  readonly name?: string | undefined;
  /** What kind of task it is, 1–64 characters. */
  readonly type?: string | undefined;
  /** At most 16, each 1–64 letters, digits or `._@/+=-`. */
  readonly tags?: readonly string[] | undefined;
  /** The task this one is a part of. */
  readonly parent_id?: string | undefined;
  /** How many items there are, where that is known before. */
  readonly total?: number | undefined;
};

/**
 * Tells of one task. Every method but `progress` resolves when the log has the event, and rejects with a
 * `WorkerError` when it never will; events reach the log in the order of the calls, awaited or not.
 */
export interface TaskReporter {
  readonly id: string;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** Aborts with an `AbortError` when somebody asks for the task to be cancelled, from `started` until it ends. */
  readonly signal: AbortSignal;
  /** `pending`: the task exists, and this is what it is. */
  created(about?: About): Promise<Stored>;
  /** `running`. */
  started(): Promise<Stored>;
  /**
   * How far it is. Returns at once: what is said within a second of the last sending goes as one, the newest wins.
   * Throws a `WorkerError` `invalid` when a value breaks a rule. After the end of the task it does nothing.
   */
  progress(counters: Counters): void;
  /** `paused`. */
  paused(): Promise<Stored>;
  /** `running` again. */
  resumed(): Promise<Stored>;
  /** `retrying`: the attempt failed, and the next one begins, with counters of its own. */
  retrying(error?: unknown): Promise<Stored>;
  /** `completed`, with a result of up to 64 KiB of JSON. */
  completed(result?: unknown): Promise<Stored>;
  /** `failed`: an `Error`, its message, or `{message, code?}`. */
  failed(error: unknown): Promise<Stored>;
  /** `cancelled`. Default reason: that of the request to cancel. */
  cancelled(reason?: string): Promise<Stored>;
  /** Counts `items` as they are worked off, and stops with the abort reason when the task is to be cancelled. */
  track<T>(items: Trackable<T>, options?: TrackOptions<T>): Tracked<T>;
  /** Resolves when the log has everything said so far; rejects when it refused some progress. */
  flush(): Promise<void>;
}

/** What a {@link Reporter} needs of its worker. */
export type ReporterWorld = {
  readonly clock: Clock;
  readonly newId: () => string;
  /** The least time between two sendings of progress, in ms. */
  readonly progressIntervalMs: number;
  /** How long a task at work may say nothing until its progress is said again, in ms; 0: for ever. */
  readonly heartbeatMs: number;
  readonly onTrouble: OnTrouble;
  readonly submit: (event: Outgoing) => Promise<Stored>;
  readonly offer: (event: Outgoing, settled: (outcome: Outcome) => void) => boolean;
  readonly flush: (taskId: string) => Promise<void>;
  readonly watchCancels: (taskId: TaskId, requested: (request: CancelRequest) => void) => () => void;
  /** Something may run by itself from now on; {@link Reporter.stop} ends it. */
  readonly opened: (reporter: Reporter) => void;
  readonly stopped: (reporter: Reporter) => void;
};

/** {@link TaskReporter}, and what the worker needs of it. */
export class Reporter implements TaskReporter {
  readonly id: TaskId;
  readonly #world: ReporterWorld;
  readonly #abort = new AbortController();
  readonly #progress: HeldProgress;
  readonly #heartbeat: Heartbeat;
  /** Whether it stands still on purpose. */
  #rests = false;
  #attempt: number;
  #ended = false;
  #declaredTotal: number | undefined;
  /** Whether the worker said the total of this attempt; then tracked items do not add to it. */
  #totalSaid = false;
  #cancelReason: string | undefined;
  #refused: WorkerError | undefined;
  #stopWatching: (() => void) | undefined;

  constructor(id: TaskId, attempt: number, world: ReporterWorld) {
    this.id = id;
    this.#attempt = attempt;
    this.#world = world;
    this.#progress = new HeldProgress(
      world.clock,
      world.progressIntervalMs,
      (counters) => this.#sendProgress(counters),
    );
    this.#heartbeat = new Heartbeat(world.clock, world.heartbeatMs, () => this.#progress.repeat());
  }

  get attempt(): number {
    return this.#attempt;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Whether this attempt was said to be over. */
  get ended(): boolean {
    return this.#ended;
  }

  created(about: About = {}): Promise<Stored> {
    const { name, type, tags, parent_id, total } = about;
    return this.#status("created", { name, type, tags, parent_id, total }, () => {
      this.#declaredTotal = total;
      this.#totalSaid ||= total !== undefined;
      this.#progress.reset({ total, ...this.#progress.counters });
    });
  }

  started(): Promise<Stored> {
    return this.#status("started", { attempt: this.#attempt }, () => {
      this.#stopWatching ??= this.#world.watchCancels(this.id, (request) => this.#requested(request));
      this.#goOn();
    });
  }

  progress(counters: Counters): void {
    check("progress", counters);
    if (typeof counters.total === "number") this.#totalSaid = true;
    this.count(counters);
  }

  paused(): Promise<Stored> {
    return this.#status("paused", { attempt: this.#attempt }, () => this.#rest());
  }

  resumed(): Promise<Stored> {
    return this.#status("resumed", { attempt: this.#attempt }, () => this.#goOn());
  }

  retrying(error?: unknown): Promise<Stored> {
    this.#ended = false;
    const next = this.#attempt + 1;
    return this.#status("retrying", {
      attempt: next,
      ...(error === undefined ? {} : { error: taskError(error) }),
    }, () => {
      this.#attempt = next;
      this.#rest();
      this.#totalSaid = this.#declaredTotal !== undefined;
      this.#progress.reset({ total: this.#declaredTotal });
    });
  }

  completed(result?: unknown): Promise<Stored> {
    // Nothing is being worked on any more; how a failed task got stuck is worth keeping.
    const { current: _, ...progress } = this.#progress.counters;
    return this.#end("completed", { result, ...said(progress) });
  }

  failed(error: unknown): Promise<Stored> {
    return this.#end("failed", { error: taskError(error), ...said(this.#progress.counters) });
  }

  cancelled(reason: string | undefined = this.#cancelReason): Promise<Stored> {
    return this.#end("cancelled", { reason, ...said(this.#progress.counters) });
  }

  track<T>(items: Trackable<T>, options: TrackOptions<T> = {}): Tracked<T> {
    return new Tracked(this, items, options, this.#world.clock);
  }

  async flush(): Promise<void> {
    this.#progress.sendNow();
    await this.#world.flush(this.id);
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused !== undefined) throw refused;
  }

  /** {@link progress} for what cannot break a rule. */
  count(counters: Counters): void {
    if (this.#ended) return;
    this.#world.opened(this);
    if (!this.#rests) this.#heartbeat.start();
    this.#progress.say(counters);
  }

  /** What was said last, sent or not. */
  get counters(): Counters {
    return this.#progress.counters;
  }

  /** So many more items were found, unless the worker itself said how many there are. */
  grow(items: number): void {
    if (!this.#totalSaid) this.count({ total: (this.counters.total ?? 0) + items });
  }

  /** Aborts the task's signal; `why` becomes the reason of `cancelled`. */
  abort(reason: unknown, why?: string): void {
    if (this.#abort.signal.aborted) return;
    this.#cancelReason = why;
    this.#abort.abort(reason);
  }

  /** Sends progress that is held back. */
  sendHeld(): void {
    this.#progress.sendNow();
  }

  /** Ends all that runs by itself: the timers of held progress and of the heartbeat, and the watch for cancels. */
  stop(): void {
    this.#heartbeat.stop();
    this.#progress.drop();
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#world.stopped(this);
  }

  /** Queues a status event behind what was said before it, synchronously, so that order is the order of the calls. */
  async #status(kind: Kind, body: Readonly<Record<string, unknown>>, queued?: () => void): Promise<Stored> {
    if (this.#ended) {
      throw new WorkerError("ended", `${kind}: ${this.id} has ended in attempt ${this.#attempt}`);
    }
    const event = this.#event(kind, body);
    this.#progress.sendNow();
    this.#world.opened(this);
    const stored = this.#world.submit(event);
    queued?.();
    return await stored;
  }

  async #end(
    kind: "completed" | "failed" | "cancelled",
    body: Readonly<Record<string, unknown>>,
  ): Promise<Stored> {
    if (this.#ended) {
      throw new WorkerError("ended", `${kind}: ${this.id} has ended in attempt ${this.#attempt}`);
    }
    const stored = this.#world.submit(this.#event(kind, { attempt: this.#attempt, ...body }));
    this.#ended = true;
    this.stop();
    return await stored;
  }

  #event(kind: Kind, body: Readonly<Record<string, unknown>>): Outgoing {
    const attempt = typeof body.attempt === "number" ? body.attempt : this.#attempt;
    return outgoing(
      { id: this.#world.newId(), taskId: this.id, kind, attempt },
      body,
      this.#world.clock.now(),
    );
  }

  /** Whether there was room for it. */
  #sendProgress(counters: Counters): boolean {
    this.#heartbeat.said();
    const attempt = this.#attempt;
    return this.#world.offer(this.#event("progress", { attempt, ...counters }), (outcome) => {
      if (outcome.kind === "evicted" && attempt === this.#attempt && !this.#ended) this.#progress.again();
      if (outcome.kind === "failed") this.#unsaid(outcome.error);
    });
  }

  /** Progress that will never be in the log: nobody awaits it, so `flush` rejects for it. */
  #unsaid(error: WorkerError): void {
    this.#refused = error;
    // Closing tells by itself what was left.
    if (error.code !== "closed") this.#world.onTrouble(error);
  }

  #rest(): void {
    this.#rests = true;
    this.#heartbeat.stop();
  }

  #goOn(): void {
    this.#rests = false;
    this.#heartbeat.start();
  }

  #requested({ attempt, reason }: CancelRequest): void {
    if (attempt < this.#attempt || this.#ended) return;
    const message = reason === undefined ? "the task was cancelled" : `the task was cancelled: ${reason}`;
    this.abort(new DOMException(message, "AbortError"), reason);
  }
}

/** The counters of a task that has ended, where any were said: others may have counted for it, as of a group. */
function said(progress: Counters): { readonly progress?: Counters } {
  return Object.values(progress).some((value) => value !== undefined) ? { progress } : {};
}
