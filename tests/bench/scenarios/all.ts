import type { Scenario } from "../scenario.ts";
import { avalanche } from "./avalanche.ts";
import { boot } from "./boot.ts";
import { compression } from "./compression.ts";
import { embeddedAppends } from "./embedded_appends.ts";
import { fanOutOfStatusChanges } from "./fan_out_of_status_changes.ts";
import { following } from "./following.ts";
import { formats } from "./formats.ts";
import { idleMemory } from "./idle_memory.ts";
import { lateJoiners } from "./late_joiners.ts";
import { progressAtRate } from "./progress_at_rate.ts";
import { quietLatency } from "./quiet_latency.ts";
import { slowReaders } from "./slow_readers.ts";

/** Every scenario, in the order of the results. */
export const SCENARIOS: readonly Scenario[] = [
  fanOutOfStatusChanges,
  progressAtRate,
  quietLatency,
  idleMemory,
  slowReaders,
  avalanche,
  boot,
  following,
  lateJoiners,
  embeddedAppends,
  compression,
  formats,
];
