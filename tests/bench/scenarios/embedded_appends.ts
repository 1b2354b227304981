import { type Bench, LOAD_CORE, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { whole } from "../numbers.ts";
import { Publisher } from "../publishing.ts";
import type { Measures, Scenario } from "../scenario.ts";

const LEAST = 20_000;
const BATCH = 100;
const AT_ONCE = 8;

/** Posts, kills the gateway, starts it again, and holds it to what it had acknowledged. */
function appends(survives: "process" | "disk") {
  return async (bench: Bench): Promise<Measures> => {
    const dataDir = await bench.folder();
    const options = { core: SERVER_CORE, dataDir, settings: { SQLITE_SYNC: survives } };
    await using gateway = await Gateway.start(options);
    await using publisher = await Publisher.start(LOAD_CORE);
    const what = { url: gateway.url, batch: BATCH, atOnce: AT_ONCE };
    await publisher.post({ ...what, seconds: 0.5 }); // warm
    const { ms, events, lastSeq, failed } = await publisher.post({ ...what, seconds: bench.pick(5, 2) });
    if (failed > 0) throw new Error(`${failed} requests were refused`);
    await gateway.process.kill();
    await using again = await Gateway.start(options);
    const kept = await again.metric("taskwire_log_followed");
    if (kept < lastSeq) throw new Error(`${lastSeq} was acknowledged, and the log ends at ${kept}`);
    return { eventsPerSecond: events / ms * 1_000 };
  };
}

/** I: what the embedded log takes in. */
export const embeddedAppends: Scenario = {
  name: "I",
  title: "Appends to the embedded log through HTTP",
  about:
    "Eight callers, each posting batches of 100 progress events and waiting for the 202. Then `kill -9`, a new " +
    "start, and every acknowledged event has to be there. `SQLITE_SYNC=process`; beside it the default, `disk`, " +
    "which survives power loss too.",
  contenders: { "process": appends("process"), "disk": appends("disk") },
  rows: (measured) => {
    const rate = measured.of("process", "eventsPerSecond");
    const row = { peers: "", floor: "", ratio: "" };
    const disk = whole(measured.of("disk", "eventsPerSecond"));
    return [
      {
        ...row,
        what: "events/s, survives kill -9",
        ours: whole(rate),
        target: `≥ ${whole(LEAST)}`,
        met: rate >= LEAST,
      },
      { ...row, what: "events/s, survives power loss", ours: disk, target: "", met: undefined },
    ];
  },
};
