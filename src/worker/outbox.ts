import type { BatchLimit } from "./transport.ts";

/** What the outbox needs to know of an event. `taskId` is whatever keeps its order: a task, or a channel. */
export type Queueable = {
  readonly taskId: string;
  readonly kind: string;
  readonly attempt: number;
  readonly bytes: number;
};

/** What became of an event offered to the outbox. */
export type Offered<E> =
  /** It is in: perhaps in the place of older progress of its task, perhaps in the room of the oldest progress of all. */
  | { readonly kind: "queued"; readonly replaced?: E; readonly evicted?: E }
  /** A status event that gets in, in its turn, as soon as there is room. */
  | { readonly kind: "waiting" }
  /** No room: progress while no older one can go, or a status event while as many wait as may be queued. */
  | { readonly kind: "full" };

/** What changed when events left: progress that newer progress replaced, and tasks that have something to send. */
export type Settled<E> = { readonly replaced: readonly E[]; readonly tasks: readonly string[] };

/** `turn` says how long an event (or the progress it replaced) has been here: lower is older. */
type Slot<E> = { turn: number; readonly event: E };

/** One task's events in order: those on their way, then those behind them. */
type Lane<E> = { inFlight: Slot<E>[]; queued: Slot<E>[] };

/**
 * What is to be sent, and in which order. It decides and performs nothing.
 *
 * A task's events leave in the order they came, one batch at a time. Progress that waits right behind progress of
 * the same attempt replaces it. Bounded by `maxEvents`: there the oldest waiting progress goes first; when there is
 * none, status events wait for room outside, at most as many again.
 */
export class Outbox<E extends Queueable> {
  readonly #maxEvents: number;
  readonly #lanes = new Map<string, Lane<E>>();
  #waiting: Slot<E>[] = [];
  #size = 0;
  #turn = 0;

  constructor(maxEvents: number) {
    this.#maxEvents = maxEvents;
  }

  /** Events queued or on their way; those that wait for room are not counted. */
  get size(): number {
    return this.#size;
  }

  /** The turn of the newest event: what was given up to now has a turn up to this. */
  get turn(): number {
    return this.#turn;
  }

  /** Whether an event with a turn up to `turn` is still here, of one task or of any. */
  holds(turn: number, taskId?: string): boolean {
    const older = (slot: Slot<E>) => slot.turn <= turn;
    if (this.#waiting.some((slot) => older(slot) && (taskId ?? slot.event.taskId) === slot.event.taskId)) {
      return true;
    }
    const lane = taskId === undefined ? undefined : this.#lanes.get(taskId);
    const lanes = taskId === undefined ? this.#lanes.values() : lane === undefined ? [] : [lane];
    for (const { inFlight, queued } of lanes) {
      if (inFlight.some(older) || queued.some(older)) return true;
    }
    return false;
  }

  /** Whether a task has events queued or on their way. */
  has(taskId: string): boolean {
    return this.#lanes.has(taskId);
  }

  /** Takes an event in, behind all others of its task. */
  offer(event: E): Offered<E> {
    // Nothing overtakes those that wait for room; while they do, a lane's tail is not its task's last event either.
    if (this.#waiting.length > 0) return this.#wait(event);
    const queued = this.#lanes.get(event.taskId)?.queued ?? [];
    const tail = queued.at(-1);
    if (tail !== undefined && replaces(event, tail.event)) {
      queued[queued.length - 1] = { turn: tail.turn, event };
      return { kind: "queued", replaced: tail.event };
    }
    const evicted = this.#size < this.#maxEvents ? undefined : this.#evictOldestProgress();
    if (this.#size >= this.#maxEvents) return this.#wait(event);
    this.#append({ turn: ++this.#turn, event });
    return evicted === undefined ? { kind: "queued" } : { kind: "queued", evicted };
  }

  /** The next events of a task, which are now on their way; none while others of it are. */
  take(taskId: string, limit: BatchLimit): readonly E[] {
    const lane = this.#lanes.get(taskId);
    if (lane === undefined || lane.inFlight.length > 0) return [];
    let bytes = 0;
    let count = 0;
    for (const { event } of lane.queued) {
      bytes += event.bytes;
      if (count > 0 && (count >= limit.events || bytes > limit.bytes)) break;
      count++;
    }
    lane.inFlight = lane.queued.splice(0, count);
    return lane.inFlight.map((slot) => slot.event);
  }

  /** The first `count` of a task's events on their way have come to an end; the others are next in line again. */
  settle(taskId: string, count: number): Settled<E> {
    const lane = this.#lane(taskId);
    const back = lane.inFlight.slice(count);
    this.#size -= lane.inFlight.length - back.length;
    lane.inFlight = [];
    const replaced: E[] = [];
    const last = back.at(-1);
    const next = lane.queued[0];
    if (last !== undefined && next !== undefined && replaces(next.event, last.event)) {
      back.pop();
      next.turn = last.turn;
      replaced.push(last.event);
      this.#size--;
    }
    lane.queued.unshift(...back);
    const tasks = lane.queued.length > 0 ? [taskId] : [];
    if (lane.queued.length === 0) this.#lanes.delete(taskId);
    return { replaced, tasks: [...tasks, ...this.#admit()] };
  }

  /** Empties the outbox; returns all that was in it. */
  clear(): readonly E[] {
    const slots = [...this.#lanes.values()].flatMap((lane) => [...lane.inFlight, ...lane.queued]);
    const all = [...slots, ...this.#waiting].map((slot) => slot.event);
    this.#lanes.clear();
    this.#waiting = [];
    this.#size = 0;
    return all;
  }

  #lane(taskId: string): Lane<E> {
    let lane = this.#lanes.get(taskId);
    if (lane === undefined) this.#lanes.set(taskId, lane = { inFlight: [], queued: [] });
    return lane;
  }

  #wait(event: E): Offered<E> {
    if (event.kind === "progress" || this.#waiting.length >= this.#maxEvents) return { kind: "full" };
    this.#waiting.push({ turn: ++this.#turn, event });
    return { kind: "waiting" };
  }

  #append(slot: Slot<E>): void {
    this.#lane(slot.event.taskId).queued.push(slot);
    this.#size++;
  }

  #admit(): string[] {
    const room = Math.max(0, this.#maxEvents - this.#size);
    const admitted = this.#waiting.splice(0, room);
    for (const slot of admitted) this.#append(slot);
    return admitted.map((slot) => slot.event.taskId);
  }

  #evictOldestProgress(): E | undefined {
    let oldest: { lane: Lane<E>; slot: Slot<E> } | undefined;
    for (const lane of this.#lanes.values()) {
      const slot = lane.queued.find((slot) => slot.event.kind === "progress");
      if (slot !== undefined && (oldest === undefined || slot.turn < oldest.slot.turn)) {
        oldest = { lane, slot };
      }
    }
    if (oldest === undefined) return undefined;
    const { lane, slot } = oldest;
    lane.queued.splice(lane.queued.indexOf(slot), 1);
    if (lane.queued.length === 0 && lane.inFlight.length === 0) this.#lanes.delete(slot.event.taskId);
    this.#size--;
    return slot.event;
  }
}

/** Whether `next`, coming right behind `event`, says all that it says, and newer. */
function replaces(next: Queueable, event: Queueable): boolean {
  return next.kind === "progress" && event.kind === "progress" && next.attempt === event.attempt;
}
