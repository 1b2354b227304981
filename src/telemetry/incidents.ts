import { trace } from "@opentelemetry/api";
import type { Logger } from "./logger.ts";

/**
 * Notes a failure that is ours and returns its incident id, which is all that a client gets to know of it. The same id is
 * in the log, with the error and its stack, and on the span of the work under way.
 */
export type Incidents = (where: string, error: unknown) => string;

/** What incidents are noted with. `newId` names each. */
export type IncidentOptions = { readonly log: Logger; readonly newId: () => string };

/** Notes incidents in `log` and on the active span. */
export function createIncidents({ log, newId }: IncidentOptions): Incidents {
  return (where, error) => {
    const incident = newId();
    const stack = error instanceof Error ? error.stack : undefined;
    log.error("incident", { incident, where, error, stack });
    trace.getActiveSpan()?.setAttribute("taskwire.incident", incident);
    return incident;
  };
}
