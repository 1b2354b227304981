import { trace } from "@opentelemetry/api";
import type { Logger } from "./logger.ts";

/**
 * Notes a failure and returns its incident id, which is all that a client gets to know of it. The same id is in the log
 * with the error, and on the span of the work under way. `ours`: a fault of this program, logged with its stack;
 * `world`: something that we depend on failed, as it may a thousand times in an outage.
 */
export type Incidents = (where: string, error: unknown, whose?: "ours" | "world") => string;

/** What incidents are noted with. `newId` names each. */
export type IncidentOptions = { readonly log: Logger; readonly newId: () => string };

/** Notes incidents in `log` and on the active span. */
export function createIncidents({ log, newId }: IncidentOptions): Incidents {
  return (where, error, whose = "ours") => {
    const incident = newId();
    const stack = error instanceof Error ? error.stack : undefined;
    if (whose === "world") log.warn("failed", { incident, where, error });
    else log.error("incident", { incident, where, error, stack });
    trace.getActiveSpan()?.setAttribute("taskwire.incident", incident);
    return incident;
  };
}
