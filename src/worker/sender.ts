import { type Backoff, backoffMs, OUTAGE_BACKOFF } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { Outbox, type Queueable } from "./outbox.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Carrier, Stored } from "./transport.ts";
import { asWorkerError, WorkerError } from "./worker_error.ts";

/** What became of an event in the end. */
export type Outcome =
  | { readonly kind: "stored"; readonly stored: Stored }
  /** Progress in whose place newer progress of its task goes. */
  | { readonly kind: "replaced" }
  /** Progress that went to make room. Whoever said it may say it again. */
  | { readonly kind: "evicted" }
  | { readonly kind: "failed"; readonly error: WorkerError };

/** The bounds of a {@link Sender}. */
export type SenderLimits = {
  /** Events queued or on their way; see `Outbox` for what happens there. */
  readonly maxQueued: number;
  /** Tasks that send at the same time; others take their turn. */
  readonly maxInFlight: number;
  /** How long an event is tried for, in ms; then its call rejects with `unreachable`. */
  readonly deadlineMs: number;
};

/** Tells of what no call can be rejected for. */
export type OnTrouble = (trouble: WorkerError) => void;

/** An outage is told of when it begins, and then at most this often. */
const TROUBLE_INTERVAL_MS = 60_000;

/** `sinceMs` is when it was given, by the clock that nobody sets: from then on it is tried for so long. */
type Entry<E> = E & { readonly settled: (outcome: Outcome) => void; readonly sinceMs: number };

/** How a task's sending goes: failed tries in a row, and events that have to go one by one to find the refused one. */
type Lane = { tries: number; singly: number; stopWaiting?: () => void };

/** Brings events into the log: in order and one batch at a time for each task, again and again through outages. */
export class Sender<E extends Queueable = Outgoing> {
  readonly #transport: Carrier<E>;
  readonly #clock: Clock;
  readonly #limits: SenderLimits;
  readonly #onTrouble: OnTrouble;
  readonly #backoff: Backoff;
  readonly #outbox: Outbox<Entry<E>>;
  readonly #lanes = new Map<string, Lane>();
  readonly #ready = new Set<string>();
  readonly #closing = new AbortController();
  #flushes: { readonly turn: number; readonly taskId: string | undefined; readonly done: () => void }[] = [];
  #active = 0;
  #toldMs = -Infinity;

  constructor(
    transport: Carrier<E>,
    options: {
      readonly clock: Clock;
      readonly limits: SenderLimits;
      readonly onTrouble: OnTrouble;
      readonly backoff?: Backoff;
    },
  ) {
    this.#transport = transport;
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#onTrouble = options.onTrouble;
    this.#backoff = options.backoff ?? OUTAGE_BACKOFF;
    this.#outbox = new Outbox(options.limits.maxQueued);
    transport.onReachable(() => {
      for (const lane of this.#lanes.values()) lane.tries = 0;
      this.#stopWaiting();
    });
  }

  /** Queues a status event; resolves when the log has it, rejects with a {@link WorkerError} when it never will. */
  submit(event: E): Promise<Stored> {
    return new Promise((resolve, reject) => {
      const queued = this.offer(event, (outcome) => {
        if (outcome.kind === "stored") resolve(outcome.stored);
        else if (outcome.kind === "failed") reject(outcome.error);
      });
      if (!queued) {
        const waiting = `${this.#limits.maxQueued} events are queued and as many wait`;
        reject(new WorkerError("overloaded", `${event.kind} of ${event.taskId} not queued: ${waiting}`));
      }
    });
  }

  /** Queues an event, and says later what became of it. False: there is no room for it. */
  offer(event: E, settled: (outcome: Outcome) => void): boolean {
    if (this.#closing.signal.aborted) {
      settled({ kind: "failed", error: closedError(event) });
      return true;
    }
    const offered = this.#outbox.offer({ ...event, settled, sinceMs: this.#clock.elapsed() });
    if (offered.kind === "full") return false;
    if (offered.kind === "queued") {
      offered.replaced?.settled({ kind: "replaced" });
      offered.evicted?.settled({ kind: "evicted" });
      this.#wake(event.taskId);
    }
    return true;
  }

  /** Resolves when every event given so far, of one task or of all, has come to its end. */
  flush(taskId?: string): Promise<void> {
    const turn = this.#outbox.turn;
    if (!this.#outbox.holds(turn, taskId)) return Promise.resolve();
    return new Promise((done) => this.#flushes.push({ turn, taskId, done }));
  }

  /** Stops sending: whatever has not come to its end is rejected as `closed`. Returns how many events that were. */
  close(): number {
    this.#closing.abort();
    this.#stopWaiting();
    const unsent = this.#outbox.clear();
    for (const entry of unsent) entry.settled({ kind: "failed", error: closedError(entry) });
    this.#lanes.clear();
    this.#ready.clear();
    this.#checkFlushes();
    return unsent.length;
  }

  #wake(taskId: string): void {
    if (this.#lanes.get(taskId)?.stopWaiting !== undefined) return;
    // One turn later, so that events given together travel together.
    if (this.#ready.size === 0) queueMicrotask(() => this.#pump());
    this.#ready.add(taskId);
  }

  /** Lets every task try again now. */
  #stopWaiting(): void {
    for (const [taskId, lane] of this.#lanes) {
      lane.stopWaiting?.();
      delete lane.stopWaiting;
      this.#wake(taskId);
    }
  }

  #pump(): void {
    for (const taskId of this.#ready) {
      if (this.#active >= this.#limits.maxInFlight) return;
      this.#ready.delete(taskId);
      const { events, bytes } = this.#transport.batch;
      const singly = (this.#lanes.get(taskId)?.singly ?? 0) > 0;
      const batch = this.#outbox.take(taskId, { events: singly ? 1 : events, bytes });
      if (batch.length === 0) {
        // On its way already, or its only event was evicted while it waited for its next try.
        if (!this.#outbox.has(taskId)) this.#lanes.delete(taskId);
        continue;
      }
      this.#active++;
      // #carry never rejects: whatever happens to a try is an outcome of its events.
      void this.#carry(taskId, batch);
    }
  }

  async #carry(taskId: string, batch: readonly Entry<E>[]): Promise<void> {
    const lane = this.#lanes.get(taskId) ?? { tries: 0, singly: 0 };
    this.#lanes.set(taskId, lane);
    let stored: readonly Stored[] = [];
    let failure: WorkerError | undefined;
    try {
      stored = await this.#transport.send(batch, this.#closing.signal);
    } catch (error) {
      failure = asWorkerError(error);
    }
    this.#active--;
    if (this.#closing.signal.aborted) return;
    if (failure === undefined) this.#stored(taskId, lane, batch, stored);
    else this.#failed(taskId, lane, batch, failure);
    this.#checkFlushes();
    if (this.#ready.size > 0) this.#pump();
  }

  #stored(taskId: string, lane: Lane, batch: readonly Entry<E>[], stored: readonly Stored[]): void {
    lane.tries = 0;
    lane.singly = Math.max(0, lane.singly - batch.length);
    this.#settle(taskId, batch.length);
    stored.forEach((one, i) => batch[i]?.settled({ kind: "stored", stored: one }));
  }

  #failed(taskId: string, lane: Lane, batch: readonly Entry<E>[], error: WorkerError): void {
    if (error.code === "refused") {
      // Which of several was it? The others must not be lost with it.
      lane.singly = batch.length > 1 ? batch.length : Math.max(0, lane.singly - 1);
      return this.#giveUp(taskId, batch.length > 1 ? [] : batch, error);
    }
    this.#tell(error);
    lane.tries++;
    const nowMs = this.#clock.elapsed();
    const expired = batch.filter((event) => nowMs >= event.sinceMs + this.#limits.deadlineMs);
    if (expired.length === 0) {
      const waitMs = Math.max(error.retryAfterMs, backoffMs(this.#backoff, lane.tries, this.#clock.random()));
      const leftMs = (batch[0]?.sinceMs ?? nowMs) + this.#limits.deadlineMs - nowMs;
      lane.stopWaiting = this.#clock.after(Math.min(waitMs, leftMs), () => {
        delete lane.stopWaiting;
        this.#wake(taskId);
      });
    }
    this.#giveUp(taskId, expired, error);
  }

  #giveUp(taskId: string, events: readonly Entry<E>[], error: WorkerError): void {
    this.#settle(taskId, events.length);
    for (const event of events) event.settled({ kind: "failed", error });
  }

  #settle(taskId: string, count: number): void {
    const { replaced, tasks } = this.#outbox.settle(taskId, count);
    for (const entry of replaced) entry.settled({ kind: "replaced" });
    if (!tasks.includes(taskId)) this.#lanes.delete(taskId);
    for (const task of tasks) this.#wake(task);
  }

  #checkFlushes(): void {
    const done = this.#flushes.filter(({ turn, taskId }) => !this.#outbox.holds(turn, taskId));
    if (done.length === 0) return;
    this.#flushes = this.#flushes.filter((flush) => !done.includes(flush));
    for (const flush of done) flush.done();
  }

  #tell(error: WorkerError): void {
    const nowMs = this.#clock.elapsed();
    if (nowMs - this.#toldMs < TROUBLE_INTERVAL_MS) return;
    this.#toldMs = nowMs;
    this.#onTrouble(error);
  }
}

function closedError(event: Queueable): WorkerError {
  return new WorkerError(
    "closed",
    `${event.kind} of ${event.taskId} is not in the log as far as we know: the worker was closed`,
  );
}
