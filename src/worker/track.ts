import { abortable, type Clock } from "./clock.ts";
import type { Counters } from "./counters.ts";

/** What can be tracked. */
export type Trackable<T> = Iterable<T> | AsyncIterable<T>;

/** How items are shown. */
export type TrackOptions<T> = {
  /** What to show while an item is worked on. Default: a text or number itself, else its `name`. */
  readonly label?: (item: T, index: number) => string;
};

/** What tracking needs of the task. */
export interface Counted {
  readonly signal: AbortSignal;
  readonly counters: Counters;
  /** Takes new counters, absolute values. */
  count(counters: Counters): void;
  /** Adds to the total, unless the worker said it. */
  grow(items: number): void;
}

/** The longest text shown for an item, in UTF-16 units. */
const MAX_LABEL = 256;

/**
 * A loop without a real wait in it starves timers and sockets: nothing would be sent and no cancel noticed. So it
 * lets them have a turn this often, in ms.
 */
const BREATH_MS = 100;

/**
 * Goes through items and counts them. An item is completed when the loop comes back for the next one; the one that a
 * loop was left at, by `break` or by a throw, counts as neither completed nor failed.
 */
export class Tracked<T> implements AsyncIterable<T> {
  readonly #task: Counted;
  readonly #items: Trackable<T>;
  readonly #label: (item: T, index: number) => string | undefined;
  readonly #clock: Clock;
  #failed = false;

  constructor(task: Counted, items: Trackable<T>, options: TrackOptions<T>, clock: Clock) {
    this.#task = task;
    this.#items = items;
    this.#label = options.label ?? labelOf;
    this.#clock = clock;
  }

  /** Counts the item at hand as failed instead of completed; the loop goes on. */
  failed(): void {
    this.#failed = true;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    const task = this.#task;
    const size = sizeOf(this.#items);
    if (size !== undefined) task.grow(size);
    const source = iteratorOf(this.#items);
    let breathedMs = this.#clock.elapsed();
    /** Whether the source gave an item and waits to be asked for the next one. */
    let open = true;
    try {
      for (let index = 0;; index++) {
        if (this.#clock.elapsed() - breathedMs >= BREATH_MS) {
          await new Promise<void>((resolve) => this.#clock.after(0, resolve));
          breathedMs = this.#clock.elapsed();
        }
        task.signal.throwIfAborted();
        open = false;
        const next = source.next();
        const step = next instanceof Promise ? await abortable(next, task.signal) : await next;
        if (step.done) break;
        open = true;
        const label = this.#label(step.value, index);
        if (label !== undefined) task.count({ current: label.slice(0, MAX_LABEL) });
        this.#failed = false;
        yield step.value;
        const { completed = 0, failed = 0 } = task.counters;
        task.count(this.#failed ? { failed: failed + 1 } : { completed: completed + 1 });
      }
      task.count({ current: null });
    } finally {
      if (open) await source.return?.();
      // It may be waiting for what never comes; nobody waits for it.
      else if (task.signal.aborted) Promise.resolve(source.return?.()).catch(() => {});
    }
  }
}

function iteratorOf<T>(items: Trackable<T>): Iterator<T> | AsyncIterator<T> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}

/** How many items there are, where they say so: arrays, sets and maps do. */
function sizeOf(items: object): number | undefined {
  if ("length" in items && typeof items.length === "number") return items.length;
  if ("size" in items && typeof items.size === "number") return items.size;
  return undefined;
}

function labelOf(item: unknown): string | undefined {
  if (typeof item === "string") return item;
  if (typeof item === "number" || typeof item === "bigint") return String(item);
  if (typeof item !== "object" || item === null) return undefined;
  return "name" in item && typeof item.name === "string" ? item.name : undefined;
}
