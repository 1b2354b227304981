import type { TaskId } from "../protocol/names.ts";
import type { Outgoing } from "./outgoing.ts";

/** Where the log keeps an event; `duplicate`: an earlier try had stored it already. */
export type Stored = { readonly seq: number; readonly duplicate: boolean };

/** Somebody wants a task to stop. It concerns attempts up to `attempt`. */
export type CancelRequest = { readonly attempt: number; readonly reason?: string };

/** How much one `send` may carry. */
export type BatchLimit = { readonly events: number; readonly bytes: number };

/** What brings events to the log. */
export interface Carrier<E> extends AsyncDisposable {
  readonly batch: BatchLimit;
  /**
   * Stores events of one task, or of one channel, in order; resolves when they are durable, with where each lies. Rejects
   * with a `WorkerError`: `refused` (for good) or `unreachable` (may pass; some may be stored). Gives up when `signal` aborts.
   */
  send(events: readonly E[], signal: AbortSignal): Promise<readonly Stored[]>;
  /** Calls `listener` whenever the log is known to be back in reach. */
  onReachable(listener: () => void): void;
}

/** A way of tasks to the log. `nats_transport.ts` publishes to the stream, `http_transport.ts` asks a gateway to. */
export interface Transport extends Carrier<Outgoing> {
  /** Calls `requested` for requests to cancel the task, past ones included, until the returned function is called. */
  watchCancels(taskId: TaskId, requested: (request: CancelRequest) => void): () => void;
}
