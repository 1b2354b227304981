import { type Bench, LOAD_CORE, portOf, quiet, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { monotonicMs } from "../libc.ts";
import { precise, times, whole } from "../numbers.ts";
import { historyConsumers } from "../peers/nats_websocket.ts";
import { type Opening, Receiver } from "../receiver.ts";
import type { Measured, Measures, Scenario } from "../scenario.ts";
import { HISTORY_TASKS, historyEvents, natsServerWithHistory } from "../stream.ts";

const JOINERS = 200;
const MOST_SECONDS = 1.5;
const GIVE_UP_MS = 30_000;

/** All at once; `seconds` until the last has all of its task's history, NaN where somebody was not served in time. */
async function joined(bench: Bench, opening: Omit<Opening, "count" | "read" | "atOnce">): Promise<Measures> {
  const each = historyEvents(bench) / HISTORY_TASKS;
  await using receiver = await Receiver.start(LOAD_CORE);
  const startMs = monotonicMs();
  await receiver.connect("joiners", { ...opening, count: JOINERS, atOnce: JOINERS, read: "count" });
  const { all, count, atMs } = await receiver.reached("joiners", GIVE_UP_MS);
  const joiners = (await receiver.report()).groups["joiners"];
  const { ended: [end] = [], fewest = 0, most = 0 } = joiners ?? {};
  if (end !== undefined) throw new Error(`A joiner was lost: ${end}`);
  if (all && fewest < each) throw new Error(`A joiner got ${fewest} frames of ${each}`);
  const seconds = all ? ((atMs ?? NaN) - startMs) / 1_000 : NaN;
  return { seconds, atLeast: all ? seconds : GIVE_UP_MS / 1_000, unserved: JOINERS - count, fewest, most };
}

/** A gateway that has served for a while, or one that has just become ready and still gets to know its log. */
function ours(justReady: boolean) {
  return async (bench: Bench): Promise<Measures> => {
    const nats = await natsServerWithHistory(bench);
    const settings = { NATS_URL: nats.server.url };
    await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
    if (!justReady) await quiet(gateway.process);
    const opening = gateway.opening("topics=task:id:task-{i}&replay=all");
    return await joined(bench, { ...opening, until: { marker: '{"type":"caught_up"' } });
  };
}

async function aConsumerEach(bench: Bench): Promise<Measures> {
  const nats = await natsServerWithHistory(bench);
  const each = historyEvents(bench) / HISTORY_TASKS;
  // The answer of the API comes before the events.
  return await joined(bench, { ...historyConsumers(portOf(nats.server.wsUrl)), until: { frames: 1 + each } });
}

/** Without a median where somebody was not served in time in any turn. */
function shown(measured: Measured, contender: string): string {
  const unserved = measured.worst(contender, "unserved");
  if (unserved === 0) return precise(measured.of(contender, "seconds"));
  return `${whole(JOINERS - unserved)} of ${JOINERS} served within ${GIVE_UP_MS / 1_000} s`;
}

/** H: many want a history at once. */
export const lateJoiners: Scenario = {
  name: "H",
  title: "Late joiners",
  about:
    "200 clients at once, each asking for `replay=all` of another task: 100 events among 1,000,000. Measured: " +
    "from the first connect to the last `caught_up`. Compared with as many ordered consumers, one a client, on " +
    "nats-server's own WebSocket.",
  contenders: { "taskwire": ours(false), "just ready": ours(true), "a consumer each": aConsumerEach },
  rows: (measured) => {
    const seconds = measured.of("taskwire", "seconds");
    const ratio = times(measured.ratio("taskwire", "a consumer each", "atLeast"));
    const row = { floor: "", ratio: "", target: "", met: undefined };
    return [{
      what: "s until the last is done",
      ours: shown(measured, "taskwire"),
      peers: `a consumer each ${shown(measured, "a consumer each")}`,
      floor: "",
      ratio: measured.worst("a consumer each", "unserved") > 0 ? `≤ ${ratio}` : ratio,
      target: `≤ ${MOST_SECONDS} s`,
      met: seconds <= MOST_SECONDS && measured.worst("taskwire", "unserved") === 0,
    }, {
      ...row,
      what: "the same, of a gateway just ready",
      ours: shown(measured, "just ready"),
      peers: "",
    }];
  },
};
