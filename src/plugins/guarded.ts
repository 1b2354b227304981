import { AsyncLocalStorage } from "node:async_hooks";
import { LogError } from "../log/event_log.ts";
import { LentWorks } from "./lent_works.ts";

/** A call: since when, by a clock that goes on, and whether it is overdue. */
type UnderWay = { readonly sinceMs: number; readonly over: AbortController };

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
  readonly #underWay = new AsyncLocalStorage<UnderWay>();
  readonly #works: LentWorks;
  #failures: number[] = [];
  #isGivenUp = false;

  constructor(clock: Stopwatch, budget: Budget, tooMany: (why: string) => void) {
    this.#clock = clock;
    this.#budget = budget;
    this.#tooMany = tooMany;
    this.#works = new LentWorks(budget.answerMs / 2);
  }

  /**
   * What `call` comes to. Rejects as it does, and where it does not come to an end: with {@link OverdueError}, or with a LogError
   * where meanwhile something that was {@link lent} took most of its time, whichever call began that: they may share it. What the
   * log fails with is no failure of its own.
   */
  async call<T>(
    call: () => T | Promise<T>,
    isRefusal: (error: unknown) => boolean = () => false,
  ): Promise<T> {
    this.counts.calls++;
    const sinceMs = this.#clock.elapsed();
    const underWay: UnderWay = { sinceMs, over: new AbortController() };
    try {
      const begun = this.#underWay.run(underWay, () => Promise.try(call));
      this.#tookTurn(sinceMs);
      return await this.#within(begun, underWay);
    } catch (error) {
      const isOverdue = underWay.over.signal.aborted;
      if (!isRefusal(error) && !isOfTheLog(error)) {
        const weight = isOverdue ? OVERDUE_WEIGHT : 1;
        this.#failed(whatOf(error), { how: isOverdue ? "overdue" : "failed", weight });
      }
      throw error;
    }
  }

  /**
   * What the gateway does for the call under way: where that takes long, it is not the plug-in's time. The signal says that the
   * call is overdue; it rejects with that from then on, so that nothing goes on in its name for ever.
   */
  async lent<T>(work: (signal: AbortSignal | undefined) => Promise<T>): Promise<T> {
    const signal = this.#underWay.getStore()?.over.signal;
    signal?.throwIfAborted();
    const ended = this.#works.begin(this.#clock.elapsed());
    try {
      return await work(signal);
    } finally {
      ended(this.#clock.elapsed());
    }
  }

  /**
   * What `look` comes to within this turn: a part of something that is no call of the plug-in. Throws as it does, and
   * {@link GivenUpError} where there was too much of that. Nobody is told so before the next turn: whoever reads the log here is
   * in the midst of it. What it throws counts, but not where it looks at something again (`isAgain`), which is as often as others like.
   */
  turn<T>(look: () => T, { isAgain = false }: { readonly isAgain?: boolean } = {}): T {
    if (this.#isGivenUp) throw new GivenUpError("it failed too often");
    const startedMs = this.#clock.elapsed();
    const isWithin = true;
    try {
      return look();
    } catch (error) {
      if (!isAgain) this.#failed(whatOf(error), { how: "failed", isWithin });
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

  #within<T>(begun: Promise<T>, { sinceMs, over }: UnderWay): Promise<T> {
    const { answerMs } = this.#budget;
    return new Promise((resolve, reject) => {
      const callOff = this.#clock.after(answerMs, () => {
        const why = `no answer within ${answerMs} ms`;
        const overdue = this.#works.tookLong(sinceMs, this.#clock.elapsed())
          ? new LogError("unreachable", `${why}: the log takes longer`)
          : new OverdueError(why);
        reject(overdue);
        over.abort(overdue);
      });
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

/** Whether it is the log that failed, and whoever asked it could do nothing about it. */
export function isOfTheLog(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < 8 && cause instanceof Error; depth++) {
    if (cause instanceof LogError) return true;
    cause = cause.cause;
  }
  return false;
}

function whatOf(error: unknown): string {
  return error instanceof Error ? `${error.message}` : `it throws a ${typeof error}`;
}
