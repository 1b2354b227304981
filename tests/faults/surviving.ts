import { assertEquals } from "@std/assert";
import type { Fault } from "./fault.ts";
import { survival } from "./survival.ts";
import { inWorld, type LogName, type World } from "./world.ts";

/** Events before a fault and after it: enough that some are under way. */
const EVENTS = 60;

/** Tests that a gateway on this log, and those who watch, come through these faults, one after the other. */
export function survivesAll(log: LogName, faults: readonly Fault[]): void {
  Deno.test(`${log}: whatever goes wrong, no status is lost or doubled, and all is told at the end`, async (t) => {
    await inWorld(log, async (world: World) => {
      for (const fault of faults) {
        const why = fault.impossible === undefined ? "" : ` (not tried: ${fault.impossible})`;
        await t.step({
          name: `${fault.name}${why}`,
          ignore: fault.impossible !== undefined,
          async fn() {
            const { lost, doubled, wrong } = await survival(world, fault, EVENTS);
            assertEquals({ lost, doubled, wrong }, { lost: 0, doubled: 0, wrong: [] });
          },
        });
      }
    });
  });
}
