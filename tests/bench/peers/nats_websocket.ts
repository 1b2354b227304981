import type { PeerOpening } from "./peer.ts";

const STREAM = "TASKWIRE";
const EVENTS = "taskwire.task.>";
const CONNECT = 'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n';
/** INFO, and the answer to what was asked last. */
const OPEN_AFTER = 2;

/** A client on nats-server's own WebSocket that subscribes without JetStream: the physical limit, and no memory. */
export function coreSubscription(port: number): PeerOpening {
  return opening(port, `${CONNECT}SUB ${EVENTS} 1\r\nPING\r\n`);
}

/** A client on nats-server's own WebSocket with an ordered consumer of its own, for what is published from now on. */
export function orderedConsumer(port: number): PeerOpening {
  return opening(port, `${CONNECT}${consumer({ deliver_policy: "new", filter_subject: EVENTS })}`);
}

/** Clients on nats-server's own WebSocket, each with an ordered consumer for the whole history of a task of its own. */
export function historyConsumers(port: number): PeerOpening {
  const filter = "taskwire.task.task-{i}.>";
  return opening(port, `${CONNECT}${consumer({ deliver_policy: "all", filter_subject: filter })}`);
}

/** What an ordered consumer is to the server: pushed, unacknowledged, in memory, gone with its subscription. */
function consumer(what: Readonly<Record<string, unknown>>): string {
  const inbox = "_INBOX.bench{i}";
  const body = JSON.stringify({
    stream_name: STREAM,
    config: {
      ...what,
      deliver_subject: `${inbox}.d`,
      ack_policy: "none",
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
      replay_policy: "instant",
      idle_heartbeat: 5_000_000_000,
    },
  });
  // Both by name: a deliver subject does not match a wildcard that was subscribed to before (nats-server#6016).
  // The number has four digits where its place holder has three characters.
  const length = body.length + body.split("{i}").length - 1;
  return `SUB ${inbox}.r 1\r\nSUB ${inbox}.d 2\r\nPUB $JS.API.CONSUMER.CREATE.${STREAM} ${inbox}.r ${length}\r\n${body}\r\n`;
}

function opening(port: number, hello: string): PeerOpening {
  return { port, path: "/", dialect: "nats", hello: [hello], openAfter: OPEN_AFTER };
}
