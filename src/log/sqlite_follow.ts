import type { Followed, Page } from "./event_log.ts";

/** Wakes what waits for something to change in the log: new records, another life, the end. */
export class Changes {
  readonly #waiting = new Set<() => void>();

  /** Wakes all that wait now. */
  tell(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves at the next change, or when `signal` aborts. */
  async next(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    this.#waiting.add(wake);
    signal.addEventListener("abort", wake);
    await promise;
    this.#waiting.delete(wake);
    signal.removeEventListener("abort", wake);
  }
}

/** A page read after `after`, as a follower is told it: positions that are not there are missed for good. */
export function* told({ entries, through }: Page, after: number): Generator<Followed, void, undefined> {
  let start = 0;
  let next = after + 1;
  for (const [index, { seq }] of entries.entries()) {
    if (seq > next) {
      if (index > start) yield { kind: "entries", entries: entries.slice(start, index) };
      yield { kind: "missed", from: next, to: seq - 1 };
      start = index;
    }
    next = seq + 1;
  }
  if (entries.length > start) yield { kind: "entries", entries: entries.slice(start) };
  if (through >= next) yield { kind: "missed", from: next, to: through };
}
