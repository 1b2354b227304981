import { NATS_FAULTS } from "./nats_faults.ts";
import { survivesAll } from "./surviving.ts";

survivesAll("NATS", NATS_FAULTS.filter(({ isQuick }) => isQuick));
