import type { Scenario } from "../scenario.ts";
import { embeddedAppends } from "./embedded_appends.ts";
import { fanOutOfStatusChanges } from "./fan_out_of_status_changes.ts";
import { following } from "./following.ts";
import { idleMemory } from "./idle_memory.ts";
import { quietLatency } from "./quiet_latency.ts";

/** Every scenario, in the order of the results. */
export const SCENARIOS: readonly Scenario[] = [
  fanOutOfStatusChanges,
  quietLatency,
  idleMemory,
  following,
  embeddedAppends,
];
