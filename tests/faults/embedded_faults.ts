import { assert, assertEquals } from "@std/assert";
import { isAnsweredBy, isServing, isTaken, refusedAppend } from "./asking.ts";
import type { Fault } from "./fault.ts";
import { NO_SMALL_DISK } from "./small_disk.ts";

const diskFull: Fault = {
  name: "the disk is full",
  impossible: NO_SMALL_DISK,
  isQuick: true,
  async cause(world, mended) {
    await world.disk.fill();
    const says = isAnsweredBy(await refusedAppend(world.gateway, "full"), 507, "does not take it");
    await isServing(world);
    const [task] = world.load.statuses();
    const history = await world.clients[0]?.ask("get_history", { task_id: task?.taskId });
    assertEquals(history?.type, "task_history");
    await world.disk.makeRoom();
    mended();
    assert(await isTaken(world.gateway, "full"));
    return { says: `${says}; all goes on by itself once there is room` };
  },
};

/** What happens to the embedded log under a gateway. */
export const EMBEDDED_FAULTS: readonly Fault[] = [diskFull];
