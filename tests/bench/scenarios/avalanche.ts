import { LOAD_CORE, natsServer, pause, SERVER_CORE } from "../bench.ts";
import { monotonicMs } from "../libc.ts";
import { precise, times, whole } from "../numbers.ts";
import { Peer } from "../peers/peer.ts";
import { Publisher } from "../publishing.ts";
import { Receiver } from "../receiver.ts";
import { GIVE_UP_MS, type Loss, returning } from "../returning.ts";
import type { Measured, Measures, Row, Scenario } from "../scenario.ts";
import { LIFE } from "../workload.ts";

const CLIENTS = 1_000;
const MISSED = 1_000;
const TASKS = 100;
const MOST_SECONDS = 5;

/** Everybody has the same topics and the same cursor. */
const ALL_ALIKE: Loss = {
  clients: CLIENTS,
  topics: "task:status",
  known: { workload: "status", tasks: TASKS, from: 0, events: TASKS },
  seen: { workload: "status", tasks: TASKS, from: TASKS, events: 1, each: 1 },
  missed: { workload: "status", tasks: TASKS, from: TASKS + 1, events: MISSED, each: MISSED },
  isEverything: true,
  gatewayDies: true,
};

const NEW_TASKS = 1_000;
const LIVES = NEW_TASKS * LIFE.length;
/** Fewer clients, because each gets more. */
const LIFE_CLIENTS = 100;

/** The tasks that the clients missed were not known to anybody before. */
const NEW_TASKS_MISSED: Loss = {
  ...ALL_ALIKE,
  clients: LIFE_CLIENTS,
  missed: { workload: "lives", tasks: NEW_TASKS, from: 0, events: LIVES, each: LIVES },
};

const OWN_CHANGES = 10;

/** Each has a topic, a task and a cursor of its own; the tasks take turns, so that what is missed lies far apart. */
const OWN_TOPICS: Loss = {
  clients: CLIENTS,
  topics: "task:tag:user-{i}:status",
  known: { workload: "tagged", tasks: CLIENTS, from: 0, events: CLIENTS },
  seen: { workload: "tagged", tasks: CLIENTS, from: CLIENTS, events: CLIENTS, each: 1 },
  missed: {
    workload: "tagged",
    tasks: CLIENTS,
    from: 2 * CLIENTS,
    events: CLIENTS * OWN_CHANGES,
    each: OWN_CHANGES,
  },
  isEverything: false,
  gatewayDies: true,
};

/**
 * Socket.IO keeps what it recovers in the memory of the process: of a killed one it recovers nothing. So its server
 * lives on, and its clients alone are lost.
 */
async function socketIo(): Promise<Measures> {
  await using nats = await natsServer();
  await using receiver = await Receiver.start(LOAD_CORE);
  await using publisher = await Publisher.start(LOAD_CORE);
  await using peer = await Peer.start("Socket.IO", {
    core: SERVER_CORE,
    natsUrl: nats.server.url,
    recovery: true,
  });
  const load = { port: nats.port, workload: "status", tasks: TASKS, rate: 1_000, stored: false } as const;
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
  const { all, atMs } = await receiver.reached("after", GIVE_UP_MS);
  const { total = 0 } = (await receiver.report()).groups["after"]?.statuses ?? {};
  return { seconds: all ? ((atMs ?? NaN) - startMs) / 1_000 : NaN, total };
}

const ALIKE = "taskwire";
const NEW = "taskwire, new tasks";
const OWN = "taskwire, own topics";
const LOST = "taskwire, clients lost";
const BLANK = { peers: "", floor: "", ratio: "", target: "", met: undefined };

/** Without a median where somebody was not served in time in any turn. */
function rowOf(measured: Measured, contender: string, what: string): Row {
  const unserved = measured.worst(contender, "unserved");
  const late = `${whole(unserved)} clients not served within ${GIVE_UP_MS / 1_000} s`;
  return {
    ...BLANK,
    what: `${what}: s, ${whole(measured.of(contender, "total"))} frames`,
    ours: unserved > 0 ? late : precise(measured.of(contender, "seconds")),
  };
}

function wrongRow(measured: Measured, contenders: readonly string[], what: string): Row {
  const wrong = contenders.reduce((sum, contender) => sum + measured.worst(contender, "wrong"), 0);
  return { ...BLANK, what, ours: whole(wrong), target: "0", met: wrong === 0 };
}

/** E: everybody comes back at once. */
export const avalanche: Scenario = {
  name: "E",
  title: "Avalanche",
  about:
    "1,000 clients of `task:status`; the gateway is killed (`kill -9`), 1,000 status changes are published, it is " +
    "started again, and all clients come back at once with `since`. Measured: from the first 200 of `/readyz` to the " +
    "last frame of the last client. Every client's positions are held to go up one by one, and their number is held " +
    "to be right. E2: the same with 100 clients that missed 1,000 new tasks, each created, started and completed. " +
    "E3: the same with 1,000 clients that each follow a tag of their own from a cursor of their own and missed ten " +
    "changes among 10,000. E4: the gateway lives and the 1,000 clients alone are lost; measured from the first " +
    "connect. Socket.IO is compared there (connection-state recovery), for what it keeps does not outlive its server.",
  contenders: {
    [ALIKE]: returning(ALL_ALIKE),
    [NEW]: returning(NEW_TASKS_MISSED),
    [OWN]: returning(OWN_TOPICS),
    [LOST]: returning({ ...ALL_ALIKE, gatewayDies: false }),
    "Socket.IO": socketIo,
  },
  rows: (measured) => {
    const seconds = measured.of(ALIKE, "seconds");
    const theirs = `Socket.IO ${precise(measured.of("Socket.IO", "seconds"))}`;
    return [
      {
        ...BLANK,
        what: `s, ${whole(measured.of(ALIKE, "total"))} frames`,
        ours: precise(seconds),
        target: `≤ ${MOST_SECONDS} s`,
        met: seconds <= MOST_SECONDS,
      },
      wrongRow(measured, [ALIKE], "frames missing or double"),
      rowOf(measured, NEW, "E2, of 1,000 new tasks"),
      rowOf(measured, OWN, "E3, topics and cursors of their own"),
      {
        ...rowOf(measured, LOST, "E4, clients alone lost"),
        peers: `${theirs}, ${whole(measured.of("Socket.IO", "total"))} frames`,
        ratio: times(measured.ratio(LOST, "Socket.IO", "seconds")),
      },
      wrongRow(measured, [NEW, OWN, LOST], "E2, E3, E4: frames missing or double"),
    ];
  },
};
