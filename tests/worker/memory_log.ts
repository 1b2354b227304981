import type { TaskId } from "../../src/protocol/names.ts";
import { abortable } from "../../src/worker/clock.ts";
import type { Outgoing } from "../../src/worker/outgoing.ts";
import type { CancelRequest, Stored, Transport } from "../../src/worker/transport.ts";

/** What becomes of one `send`: an error before or after its events are stored, or what to wait for before. */
export type Mishap = {
  readonly error?: Error;
  readonly stored?: boolean;
  readonly until?: Promise<unknown>;
};

/** A log in memory behind the worker's transport: it stores each id once, and does what the test tells it to. */
export class MemoryLog implements Transport {
  readonly batch: { readonly events: number; readonly bytes: number };
  readonly events: Outgoing[] = [];
  /** How many events each `send` brought. */
  readonly sends: number[] = [];
  /** The most sends of one task that were under way at the same time. */
  mostInFlightOfATask = 0;
  /** The most sends that were under way at the same time. */
  mostInFlight = 0;
  /** Asked at each `send` what is to go wrong. */
  mishap: (events: readonly Outgoing[]) => Mishap | undefined = () => undefined;
  disposed = false;
  readonly #inFlight: string[] = [];
  readonly #watching = new Map<string, Set<(request: CancelRequest) => void>>();
  readonly #listeners: (() => void)[] = [];

  constructor(batchEvents = 1000) {
    this.batch = { events: batchEvents, bytes: Infinity };
  }

  /** Kind and body of each stored event of a task, without `at`. */
  story(taskId: string): (readonly [string, unknown])[] {
    return this.events.filter((event) => event.taskId === taskId).map((event) => {
      const { at: _, ...body } = JSON.parse(event.json);
      return [event.kind, body] as const;
    });
  }

  /** The kinds of a task's stored events, in order. */
  kinds(taskId: string): string[] {
    return this.story(taskId).map(([kind]) => kind);
  }

  /** Somebody asks for the task to be cancelled. */
  cancel(taskId: string, request: CancelRequest = { attempt: 1 }): void {
    for (const requested of this.#watching.get(taskId) ?? []) requested(request);
  }

  /** How many watch a task for cancels. */
  watchers(taskId: string): number {
    return this.#watching.get(taskId)?.size ?? 0;
  }

  /** The log says that it is back. */
  comeBack(): void {
    for (const listener of this.#listeners) listener();
  }

  async send(events: readonly Outgoing[], signal: AbortSignal): Promise<readonly Stored[]> {
    const taskId = events[0]?.taskId ?? "";
    this.sends.push(events.length);
    this.#inFlight.push(taskId);
    this.mostInFlight = Math.max(this.mostInFlight, this.#inFlight.length);
    const ofTask = this.#inFlight.filter((other) => other === taskId).length;
    this.mostInFlightOfATask = Math.max(this.mostInFlightOfATask, ofTask);
    try {
      const { error, stored = false, until } = this.mishap(events) ?? {};
      if (until !== undefined) await abortable(until, signal);
      if (error === undefined || stored) events.forEach((event) => this.#store(event));
      if (error !== undefined) throw error;
      return events.map((event) => this.#stored(event));
    } finally {
      this.#inFlight.splice(this.#inFlight.indexOf(taskId), 1);
    }
  }

  watchCancels(taskId: TaskId, requested: (request: CancelRequest) => void): () => void {
    const watching = this.#watching.get(taskId) ?? new Set();
    this.#watching.set(taskId, watching.add(requested));
    return () => watching.delete(requested);
  }

  onReachable(listener: () => void): void {
    this.#listeners.push(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
    return Promise.resolve();
  }

  readonly #duplicates = new Set<string>();

  #store(event: Outgoing): void {
    if (this.events.some((other) => other.id === event.id)) this.#duplicates.add(event.id);
    else this.events.push(event);
  }

  #stored(event: Outgoing): Stored {
    const seq = this.events.findIndex((other) => other.id === event.id) + 1;
    return { seq, duplicate: this.#duplicates.has(event.id) };
  }
}
