import type { Clock } from "./clock.ts";

/** Resolves with `promise`, or after `ms`. */
export function within(ms: number, promise: Promise<void>, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const stop = clock.after(ms, resolve);
    void promise.then(() => {
      stop();
      resolve();
    });
  });
}
