import { type Bench, LOAD_CORE, natsServer, SERVER_CORE } from "../bench.ts";
import { fastestFanOut, floorRate } from "../fan_out.ts";
import { Gateway } from "../gateway.ts";
import { times, whole } from "../numbers.ts";
import { Peer, type PeerName } from "../peers/peer.ts";
import { Publisher } from "../publishing.ts";
import { Receiver } from "../receiver.ts";
import type { Measures, Row, Scenario } from "../scenario.ts";

const MEASURE = "framesPerSecond";
/** A receiver that uses this much of its core may be what limits the floor: then the floor is none. */
const SATURATED = 0.98;

async function ours(bench: Bench): Promise<Measures> {
  await using nats = await natsServer();
  const settings = { NATS_URL: nats.server.url };
  await using gateway = await Gateway.start({ core: SERVER_CORE, dataDir: await bench.folder(), settings });
  await using receiver = await Receiver.start(LOAD_CORE);
  await using publisher = await Publisher.start(LOAD_CORE);
  const opening = gateway.opening("topics=task:status&replay=none");
  return await fastestFanOut(bench, { name: "taskwire", opening, natsPort: nats.port, stored: true }, {
    receiver,
    publisher,
  });
}

function peer(name: PeerName) {
  return async (bench: Bench): Promise<Measures> => {
    await using nats = await natsServer();
    await using server = await Peer.start(name, { core: SERVER_CORE, natsUrl: nats.server.url });
    await using receiver = await Receiver.start(LOAD_CORE);
    await using publisher = await Publisher.start(LOAD_CORE);
    const { opening } = server;
    return await fastestFanOut(bench, { name, opening, natsPort: nats.port, stored: false }, {
      receiver,
      publisher,
    });
  };
}

/** A: fan-out of status changes, of which nothing may be merged. */
export const fanOutOfStatusChanges: Scenario = {
  name: "A",
  title: "Fan-out of status changes",
  about:
    "1,000 subscribers of `task:status`; the rate of status changes is raised until their lag (published → " +
    "received) passes 250 ms at p99, and closed in on within 8 %. The lag is that of every frame of ten clients, " +
    "spread over all; of every client every frame is counted. Compared: frames a second delivered at the last good " +
    "rate. Floor: ready frames of the same size, one write each, from a bare loop; it counts only while the receiver " +
    "has something of its core to spare.",
  contenders: {
    "taskwire": ours,
    "floor": (bench, before) => floorRate(bench, before["taskwire"]?.["frameBytes"] ?? 0),
    "Socket.IO": peer("Socket.IO"),
    "ws": peer("ws"),
  },
  rows: (measured) => {
    const ours = whole(measured.of("taskwire", MEASURE));
    const against = (name: string, least: number): Row => {
      const ratio = measured.ratio("taskwire", name, MEASURE);
      const theirs = `${whole(measured.of(name, MEASURE))}`;
      return {
        what: `frames/s, to ${name}`,
        ours,
        peers: name === "floor" ? "" : `${name} ${theirs}`,
        floor: name === "floor" ? theirs : "",
        ratio: times(ratio),
        target: `≥ ${least} ×`,
        met: ratio >= least,
      };
    };
    const isFloor = measured.of("floor", "receiverCpu") < SATURATED;
    const floor = against("floor", 3);
    const percent = (contender: string, measure: string) =>
      `${Math.round(100 * measured.of(contender, measure))} %`;
    return [
      isFloor ? floor : { ...floor, floor: `${floor.floor}, not valid: the receiver was busy`, met: false },
      against("Socket.IO", 4),
      against("ws", 3),
      {
        what: "cores of the receiver",
        ours: percent("taskwire", "receiverCpu"),
        peers: "",
        floor: `${percent("floor", "receiverCpu")}; with 8 frames a write, ` +
          `${whole(measured.of("floor", "eightAWrite"))} frames/s, ${percent("floor", "receiverCpuAtEight")}`,
        ratio: "",
        target: "",
        met: undefined,
      },
    ];
  },
};
