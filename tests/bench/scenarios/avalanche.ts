import * as v from "valibot";
import { type Bench, LOAD_CORE, natsServer, pause, SERVER_CORE } from "../bench.ts";
import { Gateway } from "../gateway.ts";
import { monotonicMs } from "../libc.ts";
import { precise, whole } from "../numbers.ts";
import { Peer } from "../peers/peer.ts";
import { Publisher } from "../publishing.ts";
import { Receiver } from "../receiver.ts";
import type { Measures, Scenario } from "../scenario.ts";
import { natsServerWithStream } from "../stream.ts";

const CLIENTS = 1_000;
const MISSED = 1_000;
const TASKS = 100;
const MOST_SECONDS = 5;
const GIVE_UP_MS = 60_000;

const NONE = { total: 0, doubles: 0, holes: 0 };

const Welcome = v.object({ data: v.object({ epoch: v.string(), seq: v.number() }) });

async function ours(bench: Bench): Promise<Measures> {
  await using nats = await natsServerWithStream(bench);
  const options = {
    core: SERVER_CORE,
    dataDir: await bench.folder(),
    settings: { NATS_URL: nats.server.url },
  };
  await using receiver = await Receiver.start(LOAD_CORE);
  await using publisher = await Publisher.start(LOAD_CORE);
  const load = { port: nats.port, workload: "status", tasks: TASKS } as const;
  await publisher.burst({ ...load, events: TASKS, from: 0 });
  await using gateway = await Gateway.start(options);
  const opening = gateway.opening("topics=task:status&replay=none");
  await receiver.connect("before", { ...opening, count: CLIENTS, read: "count", keepFirst: true });
  const { groups } = await receiver.report();
  const { data } = v.parse(Welcome, JSON.parse(groups["before"]?.first ?? "{}"));
  await gateway.process.kill();
  await receiver.close("before");
  await publisher.burst({ ...load, events: MISSED, from: TASKS });

  await using again = await Gateway.start(options);
  await receiver.connect("after", {
    ...again.opening(`topics=task:status&since=${data.epoch}:${data.seq}`),
    count: CLIENTS,
    atOnce: CLIENTS,
    read: "statuses",
    until: { statuses: MISSED },
  });
  const { all, count, atMs } = await receiver.reached("after", GIVE_UP_MS);
  const after = (await receiver.report()).groups["after"];
  if (after === undefined || !all) throw new Error(`Only ${count} clients have all: ${after?.ended[0]}`);
  const { total, doubles, holes } = after.statuses;
  return { seconds: ((atMs ?? NaN) - again.readyAtMs) / 1_000, total, doubles, holes };
}

/**
 * Socket.IO keeps what it recovers in the memory of the process: of a killed one it recovers nothing. So its server
 * lives on, and its clients alone are lost.
 */
async function socketIo(bench: Bench): Promise<Measures> {
  await using nats = await natsServer();
  await using receiver = await Receiver.start(LOAD_CORE);
  await using publisher = await Publisher.start(LOAD_CORE);
  await using peer = await Peer.start("Socket.IO", {
    core: SERVER_CORE,
    natsUrl: nats.server.url,
    recovery: true,
  });
  const load = { port: nats.port, workload: "status", tasks: TASKS, rate: 500, stored: false } as const;
  const before = { ...peer.opening, count: CLIENTS, read: "statuses", until: { statuses: 1 } } as const;
  await receiver.connect("before", { ...before, keepRecovery: true });
  await publisher.steady({ ...load, events: 1, from: 1 });
  if (!(await receiver.reached("before", GIVE_UP_MS)).all) {
    throw new Error("Not everybody got the first event");
  }
  await receiver.close("before");
  await pause(1_000); // until the server has noticed
  await publisher.steady({ ...load, events: MISSED, from: 2 });
  await pause(1_000); // until it has them all
  const startMs = monotonicMs();
  const until = { statuses: MISSED };
  await receiver.connect("after", { ...before, until, atOnce: CLIENTS, comesBackAs: "before" });
  const { count, atMs } = await receiver.reached("after", bench.pick(GIVE_UP_MS, 20_000));
  const { total, doubles, holes } = (await receiver.report()).groups["after"]?.statuses ?? NONE;
  return { seconds: ((atMs ?? NaN) - startMs) / 1_000, total, doubles, holes, whole: count };
}

/** E: everybody comes back at once. */
export const avalanche: Scenario = {
  name: "E",
  title: "Avalanche",
  about:
    "1,000 clients of `task:status`; the gateway is killed (`kill -9`), 1,000 status changes are published, it is " +
    "started again, and all clients come back at once with `since`. Measured: from the first 200 of `/readyz` to the " +
    "last frame of the last client. Every client's positions are held to go up one by one. " +
    "Socket.IO's connection-state recovery does not outlive its server; it is measured with clients alone lost.",
  contenders: { "taskwire": ours, "Socket.IO": socketIo },
  rows: (measured) => {
    const seconds = measured.of("taskwire", "seconds");
    const wrong = measured.worst("taskwire", "doubles") + measured.worst("taskwire", "holes") +
      Math.abs(CLIENTS * MISSED - measured.of("taskwire", "total"));
    const row = { floor: "", ratio: "", peers: "" };
    const theirs = `Socket.IO, its server not killed: ${precise(measured.of("Socket.IO", "seconds"))}`;
    return [
      {
        ...row,
        what: `s, ${whole(measured.of("taskwire", "total"))} frames`,
        ours: precise(seconds),
        peers: `${theirs}, ${whole(measured.of("Socket.IO", "total"))} frames`,
        target: `≤ ${MOST_SECONDS} s`,
        met: seconds <= MOST_SECONDS,
      },
      { ...row, what: "frames missing or double", ours: whole(wrong), target: "0", met: wrong === 0 },
    ];
  },
};
