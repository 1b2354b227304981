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

/** A turn that blocks counts once more for each so many ms: one of 4 s comes but 15 times a minute. */
const BLOCKED_WEIGHT_MS = 1_000;

/** A plug-in did not come to an end in time. */
export class OverdueError extends Error {
  override name = "OverdueError";
}

/** A plug-in is not asked any more: it failed too often, and is about to be disabled. */
export class GivenUpError extends Error {
  override name = "GivenUpError";
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
  #isGivenUp = false;

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
      this.#tookTurn(startedMs);
      return await this.#within(begun);
    } catch (error) {
      const isOverdue = error instanceof OverdueError;
      if (!isRefusal(error)) {
        const weight = isOverdue ? OVERDUE_WEIGHT : 1;
        this.#failed(whatOf(error), { how: isOverdue ? "overdue" : "failed", weight });
      }
      throw error;
    }
  }

  /**
   * What `look` comes to within this turn: a part of something that is no call of the plug-in. Throws as it does, and
   * {@link GivenUpError} where there was too much of that. Nobody is told so before the next turn: whoever reads the log here is
   * in the midst of it.
   */
  turn<T>(look: () => T): T {
    if (this.#isGivenUp) throw new GivenUpError("it failed too often");
    const startedMs = this.#clock.elapsed();
    const isWithin = true;
    try {
      return look();
    } catch (error) {
      this.#failed(whatOf(error), { how: "failed", isWithin });
      throw error;
    } finally {
      this.#tookTurn(startedMs, { isWithin });
    }
  }

  /** Forgets what failed: it begins anew. */
  forget(): void {
    this.#failures = [];
    this.#isGivenUp = false;
  }

  #tookTurn(startedMs: number, { isWithin = false }: { readonly isWithin?: boolean } = {}): void {
    const turnMs = this.#clock.elapsed() - startedMs;
    if (turnMs <= this.#budget.turnMs) return;
    const weight = 1 + Math.floor(turnMs / BLOCKED_WEIGHT_MS);
    this.#failed(`a turn of ${Math.round(turnMs)} ms`, { how: "overdue", weight, isWithin });
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

  #failed(
    why: string,
    { how, weight = 1, isWithin = false }: {
      readonly how: "failed" | "overdue";
      readonly weight?: number;
      readonly isWithin?: boolean;
    },
  ): void {
    this.counts[how]++;
    const nowMs = this.#clock.elapsed();
    this.#failures = this.#failures.filter((atMs) => nowMs - atMs < WITHIN_MS);
    for (let i = 0; i < weight; i++) this.#failures.push(nowMs);
    if (this.#isGivenUp || this.#failures.length < this.#budget.failures) return;
    this.#isGivenUp = true;
    const told = `${this.#failures.length} failures within a minute, the last: ${why}`;
    if (!isWithin) this.#tooMany(told);
    // Whoever enabled it anew meanwhile meant it.
    else this.#clock.after(0, () => this.#isGivenUp && this.#tooMany(told));
  }
}

function whatOf(error: unknown): string {
  return error instanceof Error ? `${error.message}` : `it throws a ${typeof error}`;
}
