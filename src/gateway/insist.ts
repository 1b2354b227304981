import type { Clock } from "../router/router.ts";

/** How long to wait between tries, ms: twice as long each time. */
const FIRST_MS = 500;
const MOST_MS = 16_000;

/** How something is done until it works. */
export type Insisting = {
  readonly clock: Pick<Clock, "after">;
  /** Aborted when it is of no use any more. */
  readonly signal: AbortSignal;
  /** Told of the first failure, and of no other. */
  readonly failed: (error: unknown) => void;
};

/** Does `deed` until it does not reject, or nobody wants it any more; never rejects. */
export async function insist(
  deed: () => Promise<void>,
  { clock, signal, failed }: Insisting,
): Promise<void> {
  for (let waitMs = FIRST_MS; !signal.aborted; waitMs = Math.min(MOST_MS, 2 * waitMs)) {
    try {
      return await deed();
    } catch (error) {
      if (signal.aborted) return;
      if (waitMs === FIRST_MS) failed(error);
      await pause(waitMs, { clock, signal });
    }
  }
}

/** Resolves after so many ms, or once `signal` is aborted. */
async function pause(ms: number, { clock, signal }: Pick<Insisting, "clock" | "signal">): Promise<void> {
  await new Promise<void>((resolve) => {
    const over = (): void => {
      callOff();
      signal.removeEventListener("abort", over);
      resolve();
    };
    const callOff = clock.after(ms, over);
    signal.addEventListener("abort", over);
  });
}
