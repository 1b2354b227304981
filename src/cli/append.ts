import type { Kind } from "../task/worker_event.ts";
import { systemClock } from "../worker/clock.ts";
import { httpTransport } from "../worker/http_transport.ts";
import { check, outgoing, parseTaskId } from "../worker/outgoing.ts";
import type { Stored } from "../worker/transport.ts";
import { CliError } from "./cli_error.ts";
import type { Gateway } from "./gateway.ts";

/** An event as somebody types it. */
export type TypedEvent = {
  readonly taskId: string;
  readonly kind: Kind;
  readonly body: Readonly<Record<string, unknown>>;
  /** By which the log knows it when it is sent again. */
  readonly eventId?: string;
};

/** How long the gateway may take, ms. */
const APPEND_MS = 10_000;

/**
 * Appends one event, as it stands, by the worker's own way to a gateway; its reporter would fill in what it knows of the
 * task. Rejects with the sentence of whichever rule it breaks, or with why the gateway did not take it.
 */
export async function append(gateway: Gateway, { taskId, kind, body, eventId }: TypedEvent): Promise<Stored> {
  check(kind, body);
  const { at, ...rest } = body;
  const attempt = typeof body.attempt === "number" ? body.attempt : 1;
  const id = eventId ?? crypto.randomUUID();
  const event = outgoing({ id, taskId: parseTaskId(taskId), kind, attempt }, rest, momentOf(at));
  await using transport = httpTransport(gateway.http, {
    clock: systemClock,
    token: gateway.token,
    cancelPollMs: APPEND_MS,
  });
  const [stored] = await transport.send([event], AbortSignal.timeout(APPEND_MS));
  if (stored === undefined) throw new CliError(`${gateway.http.origin} did not say where the event is`);
  return stored;
}

function momentOf(at: unknown): number {
  if (at === undefined) return Date.now();
  return typeof at === "number" ? at : Date.parse(String(at));
}
