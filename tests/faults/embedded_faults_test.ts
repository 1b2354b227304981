import { EMBEDDED_FAULTS } from "./embedded_faults.ts";
import { GATEWAY_FAULTS } from "./gateway_faults.ts";
import { survivesAll } from "./surviving.ts";

survivesAll("the embedded log", [...EMBEDDED_FAULTS, ...GATEWAY_FAULTS].filter(({ isQuick }) => isQuick));
