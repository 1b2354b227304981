import { EMBEDDED_FAULTS } from "./embedded_faults.ts";
import type { Fault } from "./fault.ts";
import { GATEWAY_FAULTS } from "./gateway_faults.ts";
import { NATS_FAULTS } from "./nats_faults.ts";
import type { LogName } from "./world.ts";

/** Every fault, by the log under which it is caused. */
export const FAULTS: ReadonlyMap<LogName, readonly Fault[]> = new Map([
  ["NATS", [...NATS_FAULTS, ...GATEWAY_FAULTS]],
  ["the embedded log", [...EMBEDDED_FAULTS, ...GATEWAY_FAULTS]],
]);
