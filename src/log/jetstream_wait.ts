import { type JetStream, logError } from "./jetstream_api.ts";

/** How long something is tried, and how fast. */
export type Patience = {
  /** For how long, ms; 0 for once. */
  readonly withinMs: number;
  /** Waiting after the first failure, ms; doubled each time, up to {@link LONGEST_RETRY_MS}. */
  readonly retryMs?: number;
};

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 500;

/**
 * Does `act` until it succeeds, as long as it fails in passing and `patience` lasts. Rejects with a `LogError` that begins
 * with `doing`, at once when the failure is a refusal.
 */
export async function patiently<T>(
  js: JetStream,
  { withinMs, retryMs = FIRST_RETRY_MS }: Patience,
  doing: string,
  signal: AbortSignal,
  act: () => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (let waitMs = retryMs;; waitMs = Math.min(waitMs * 2, LONGEST_RETRY_MS)) {
    try {
      return await act();
    } catch (error) {
      const failure = logError(error, doing);
      const leftMs = deadline - performance.now();
      if (failure.code !== "unreachable" || leftMs <= 0 || signal.aborted) throw failure;
      await linkChange(js, { retryMs: waitMs, withinMs: leftMs }, signal);
    }
  }
}

/**
 * Waits until trying again makes sense: for `retryMs` while there is a connection, until there is one while there is none,
 * and never longer than `withinMs`. Resolves at once when `signal` aborts.
 */
export function linkChange(
  { link }: JetStream,
  { retryMs, withinMs = Infinity }: { readonly retryMs: number; readonly withinMs?: number },
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timers: ReturnType<typeof setTimeout>[] = [];
  const done = () => {
    for (const timer of timers) clearTimeout(timer);
    unwatch();
    signal.removeEventListener("abort", done);
    resolve();
  };
  const unwatch = link.watch((connection) => {
    if (connection !== undefined) done();
  });
  timers.push(setTimeout(() => link.connection !== undefined && done(), retryMs));
  if (withinMs !== Infinity) timers.push(setTimeout(done, withinMs));
  signal.addEventListener("abort", done);
  if (signal.aborted) done();
  return promise;
}

/** What `promise` brings, or undefined as soon as `signal` aborts; what it brings after that goes to `late`. */
export async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  late: (value: T) => void = () => {},
): Promise<T | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = () => {
    promise.then(late, () => {});
    resolve(undefined);
  };
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
