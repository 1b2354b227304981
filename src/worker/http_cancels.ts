import * as v from "valibot";
import { type Clock, sleep } from "./clock.ts";
import type { Answer } from "./http_request.ts";
import type { CancelRequest } from "./transport.ts";

/** What of a task's state tells that it is to stop. */
const Cancelled = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    status: v.picklist(["cancelling", "cancelled"]),
    attempt: v.optional(v.number(), 1),
    reason: v.optional(v.nullable(v.string())),
  }),
);

/**
 * Asks for the task's state now and every `intervalMs` (a quarter more or less, by chance) until stopped, and tells
 * when it is to be cancelled. Without the right to read, it stops asking; every other failure waits for the next time.
 */
export function pollForCancel(
  look: (signal: AbortSignal) => Promise<Answer>,
  { clock, intervalMs, requested }: {
    readonly clock: Clock;
    readonly intervalMs: number;
    readonly requested: (request: CancelRequest) => void;
  },
): () => void {
  const stopped = new AbortController();
  const { signal } = stopped;
  const poll = async () => {
    while (!signal.aborted) {
      const answer = await look(signal).catch(() => undefined);
      if (signal.aborted || answer?.status === 401 || answer?.status === 403) return;
      const parsed = v.safeParse(Cancelled, answer?.status === 200 ? answer.body : "");
      if (parsed.success) {
        const { attempt, reason } = parsed.output;
        requested({ attempt, ...(typeof reason === "string" ? { reason } : {}) });
      }
      // Its only rejection is that we were stopped, which ends the loop.
      await sleep(clock, intervalMs * (0.75 + clock.random() / 2), signal).catch(() => {});
    }
  };
  void poll();
  return () => stopped.abort();
}
