/** What may go wrong with a plug-in before it is disabled. */
export type Budget = {
  /** How long one turn of the event loop may take, ms. */
  readonly turnMs: number;
  /** How long an answer may take in all, ms. */
  readonly answerMs: number;
  /** So many failures within a minute are too many. */
  readonly failures: number;
};

/** The budget of every plug-in. */
export const BUDGET: Budget = { turnMs: 100, answerMs: 5_000, failures: 20 };

/** What a plug-in came to so far. */
export type PluginCounts = { calls: number; failed: number; overdue: number };

const WITHIN_MS = 60_000;
/** What is told one after the other comes to an end 12 times a minute where each is overdue: that has to be too many. */
const OVERDUE_WEIGHT = 2;

/** A plug-in did not come to an end in time. */
export class OverdueError extends Error {
  override name = "OverdueError";
}

/** Time, as long as it takes. */
export interface Stopwatch {
  elapsed(): number;
  after(delayMs: number, run: () => void): () => void;
}

/**
 * Calls a plug-in, so that what it throws, or does not come to an end with, hurts that call alone; and says when it has done so
 * too often. A turn that takes too long cannot be broken off: it counts as a failure.
 */
export class Guarded {
  readonly counts: PluginCounts = { calls: 0, failed: 0, overdue: 0 };
  readonly #clock: Stopwatch;
  readonly #budget: Budget;
  readonly #tooMany: (why: string) => void;
  #failures: number[] = [];

  constructor(clock: Stopwatch, budget: Budget, tooMany: (why: string) => void) {
    this.#clock = clock;
    this.#budget = budget;
    this.#tooMany = tooMany;
  }

  /** What `call` comes to. Rejects as it does, and with {@link OverdueError} where it does not come to an end. */
  async call<T>(
    call: () => T | Promise<T>,
    isRefusal: (error: unknown) => boolean = () => false,
  ): Promise<T> {
    this.counts.calls++;
    const startedMs = this.#clock.elapsed();
    try {
      const begun = Promise.try(call);
      const turnMs = this.#clock.elapsed() - startedMs;
      if (turnMs > this.#budget.turnMs) this.#failed(`a turn of ${Math.round(turnMs)} ms`, "overdue");
      return await this.#within(begun);
    } catch (error) {
      const isOverdue = error instanceof OverdueError;
      if (!isRefusal(error)) {
        this.#failed(
          error instanceof Error ? `${error.message}` : `it throws a ${typeof error}`,
          isOverdue ? "overdue" : "failed",
          isOverdue ? OVERDUE_WEIGHT : 1,
        );
      }
      throw error;
    }
  }

  /** Forgets what failed: it begins anew. */
  forget(): void {
    this.#failures = [];
  }

  #within<T>(begun: Promise<T>): Promise<T> {
    const { answerMs } = this.#budget;
    return new Promise((resolve, reject) => {
      const callOff = this.#clock.after(
        answerMs,
        () => reject(new OverdueError(`no answer within ${answerMs} ms`)),
      );
      begun.finally(callOff).then(resolve, reject);
    });
  }

  #failed(why: string, how: "failed" | "overdue", weight = 1): void {
    this.counts[how]++;
    const nowMs = this.#clock.elapsed();
    this.#failures = this.#failures.filter((atMs) => nowMs - atMs < WITHIN_MS);
    for (let i = 0; i < weight; i++) this.#failures.push(nowMs);
    if (this.#failures.length >= this.#budget.failures) {
      this.#tooMany(`${this.#failures.length} failures within a minute, the last: ${why}`);
    }
  }
}
