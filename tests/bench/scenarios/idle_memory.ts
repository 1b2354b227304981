import { type Bench, LOAD_CORE, natsServer, pause, SERVER_CORE, settledMemory } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { collectGarbage } from "../inspector.ts";
import { precise } from "../numbers.ts";
import { Peer, type PeerName, type PeerOpening } from "../peers/peer.ts";
import type { PinnedProcess } from "../pinned_process.ts";
import { Receiver } from "../receiver.ts";
import type { Measures, Scenario } from "../scenario.ts";

const FIRST = 1_000;
const ALL = 10_000;
const MOST_KILOBYTES = 10;

/** What the process holds once its garbage is collected and it has come to rest, bytes. */
async function needed(bench: Bench, process: PinnedProcess): Promise<number> {
  await pause(1_000);
  await collectGarbage(process);
  return await settledMemory(bench, process);
}

async function growth(bench: Bench, process: PinnedProcess, opening: PeerOpening): Promise<Measures> {
  await using receiver = await Receiver.start(LOAD_CORE);
  await receiver.connect("first", { ...opening, count: FIRST, read: "count" });
  const before = await needed(bench, process);
  await receiver.connect("more", { ...opening, count: ALL - FIRST, read: "count" });
  const after = await needed(bench, process);
  const { groups } = await receiver.report();
  const ended = Object.values(groups).flatMap((group) => group.ended);
  if (ended.length > 0) throw new Error(`A connection ended: ${ended[0]}`);
  return { kilobytesEach: (after - before) / (ALL - FIRST) / 1_024, megabytesAtAll: after / 1_048_576 };
}

async function ours(bench: Bench): Promise<Measures> {
  await using nats = await natsServer();
  const settings = { NATS_URL: nats.server.url };
  const options = { core: SERVER_CORE, dataDir: await bench.folder(), settings, inspect: true };
  await using gateway = await Gateway.start(options);
  return await growth(
    bench,
    gateway.process,
    gateway.opening("topics=task:progress,task:status&replay=none"),
  );
}

function peer(name: PeerName) {
  return async (bench: Bench): Promise<Measures> => {
    await using nats = await natsServer();
    await using server = await Peer.start(name, {
      core: SERVER_CORE,
      natsUrl: nats.server.url,
      inspect: true,
    });
    return await growth(bench, server.process, server.opening);
  };
}

/** C: what an idle connection costs. */
export const idleMemory: Scenario = {
  name: "C",
  title: "Idle memory",
  about:
    "How much the resident memory of the process grows from 1,000 to 10,000 idle connections, each subscribed " +
    "to `task:progress` and `task:status`, garbage collected at both. The peers' connections hold no topics.",
  contenders: { "taskwire": ours, "ws": peer("ws"), "Socket.IO": peer("Socket.IO") },
  rows: (measured) => {
    const each = (contender: string) => precise(measured.of(contender, "kilobytesEach"));
    return [{
      what: "KB a connection",
      ours: each("taskwire"),
      peers: `Socket.IO ${each("Socket.IO")}, ws ${each("ws")}`,
      floor: "",
      ratio: "",
      target: `≤ ${MOST_KILOBYTES} KB`,
      met: measured.of("taskwire", "kilobytesEach") <= MOST_KILOBYTES,
    }];
  },
};
