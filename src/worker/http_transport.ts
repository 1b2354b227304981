import * as v from "valibot";
import type { Clock } from "./clock.ts";
import { pollForCancel } from "./http_cancels.ts";
import { type Answer, ask, type Token } from "./http_request.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Stored, Transport } from "./transport.ts";
import { WorkerError } from "./worker_error.ts";

/** How a gateway is spoken to. */
export type HttpTransportOptions = {
  readonly clock: Clock;
  readonly token: Token | undefined;
  /** How often a running task's status is asked for, in ms, to notice that it is to be cancelled. */
  readonly cancelPollMs: number;
};

/** A gateway takes bodies of 1 MiB; what is around the events has to fit as well. */
const BATCH_BYTES = 768 * 1024;

/** Asks the gateway at `base` to append: `POST <base>/api/tasks/<id>/events`. */
export function httpTransport(base: URL, { clock, token, cancelPollMs }: HttpTransportOptions): Transport {
  const root = base.href.endsWith("/") ? base : new URL(`${base.href}/`);
  return {
    batch: { events: 1000, bytes: BATCH_BYTES },
    async send(events, signal) {
      const [first] = events;
      if (first === undefined) return [];
      const headers: Record<string, string> = { "content-type": "application/json" };
      if (first.traceparent !== undefined) headers.traceparent = first.traceparent;
      const url = new URL(`api/tasks/${first.taskId}/events`, root);
      const body = `[${events.map(eventJson).join(",")}]`;
      return storedAt(
        url,
        await ask(url, { method: "POST", headers, body }, { clock, token, signal }),
        events.length,
      );
    },
    watchCancels(taskId, requested) {
      const url = new URL(`api/tasks/${taskId}`, root);
      const look = (signal: AbortSignal) => ask(url, { method: "GET" }, { clock, token, signal });
      return pollForCancel(look, { clock, intervalMs: cancelPollMs, requested });
    },
    // Nobody tells us when a gateway is back; the next try does.
    onReachable: () => {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** The event as the gateway takes it: its body with `kind` and `event_id` in front. */
function eventJson(event: Outgoing): string {
  return `{"kind":${JSON.stringify(event.kind)},"event_id":${JSON.stringify(event.id)},${
    event.json.slice(1)
  }`;
}

const Results = v.object({ results: v.array(v.object({ seq: v.number(), duplicate: v.boolean() })) });

const Problem = v.object({
  title: v.optional(v.string()),
  detail: v.optional(v.string()),
  code: v.optional(v.string()),
  details: v.optional(
    v.object({ retry_after_ms: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(60_000))) }),
  ),
});

/** Where the events are stored by the gateway's answer, or why they are not. Throws a {@link WorkerError}. */
export function storedAt(url: URL, answer: Answer, events: number): readonly Stored[] {
  const value = parseJson(answer.body);
  const { status, retryAfterMs } = answer;
  if (status >= 200 && status < 300) {
    const parsed = v.safeParse(Results, value);
    if (parsed.success && parsed.output.results.length === events) return parsed.output.results;
    const message =
      `${url.origin} answered ${status} without saying where the events are; is it a taskwire gateway?`;
    throw new WorkerError("refused", message);
  }
  const parsed = v.safeParse(Problem, value);
  const problem = parsed.success ? parsed.output : {};
  const said = [problem.code, problem.detail ?? problem.title].filter((part) => part !== undefined).join(
    ": ",
  );
  const message = `POST ${url.pathname} at ${url.origin}: ${status} ${said}`.trimEnd();
  if (mayPass(status)) {
    const waitMs = Math.max(retryAfterMs, problem.details?.retry_after_ms ?? 0);
    throw new WorkerError("unreachable", message, { retryAfterMs: waitMs });
  }
  throw new WorkerError("refused", `the gateway refuses ${message}`);
}

/** Whether the same request may be answered otherwise later: timeouts, too early, too many, and the server's troubles. */
function mayPass(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
