import type { TaskReporter } from "../../src/worker/reporter.ts";

/** Work that goes on until it is told to stop. */
export function untilAborted({ signal }: TaskReporter): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}
