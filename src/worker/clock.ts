import { clearTimeout, setTimeout } from "node:timers";

/** Time and chance, so that tests own both. */
export interface Clock {
  /** Milliseconds since the epoch, as others are told: by a clock that may be set, and then leaps. */
  now(): number;
  /** Milliseconds since some moment, by a clock that nobody sets: how long something takes, and when it is due. */
  elapsed(): number;
  /**
   * Calls `then` once, `ms` from now, unless the returned function is called before. The process ends without it where it
   * has nothing else to do, and `holdsProcess` is false.
   */
  after(ms: number, then: () => void, options?: { readonly holdsProcess?: boolean }): () => void;
  /** A number in [0, 1). */
  random(): number;
}

/** `setTimeout` fires at once for delays above this. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's clock. Its timers keep the process alive until they fire or are taken back, but for those that are not to. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(ms, then, { holdsProcess = true } = {}) {
    const timer = setTimeout(then, Math.min(ms, LONGEST_TIMEOUT_MS));
    if (!holdsProcess) timer.unref();
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** Resolves after `ms`; rejects with the signal's reason, and takes its timer back, as soon as that aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return untilAborted(
    signal,
    (done) => clock.after(ms, () => done()),
  );
}

/** What `promise` comes to, or a rejection with the signal's reason if that aborts first. */
export function abortable<T>(promise: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  // Whatever comes of it after nobody waits any more must not count as unhandled.
  promise.then(undefined, () => {});
  return untilAborted(signal, (done, failed) => {
    promise.then(done, failed);
    return () => {};
  });
}

/** A promise that `start` settles, or that rejects once `signal` aborts: then what `start` returned is called. */
function untilAborted<T>(
  signal: AbortSignal,
  start: (done: (value: T) => void, failed: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const aborted = () => {
      stop();
      reject(signal.reason);
    };
    const stop = start((value) => {
      signal.removeEventListener("abort", aborted);
      resolve(value);
    }, (error) => {
      signal.removeEventListener("abort", aborted);
      reject(error);
    });
    signal.addEventListener("abort", aborted, { once: true });
  });
}
