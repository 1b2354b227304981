import { type NatsConnection, nuid } from "nats.ws";
import * as v from "valibot";
import { ask, type JetStream } from "./jetstream_api.ts";
import { type Delivered, deliveredOf, statusOf } from "./jetstream_record.ts";

/** Which records a consumer delivers, and from where. */
export type ConsumerStart = {
  /** The first position, or the last record of each subject only. */
  readonly from: number | "lastPerSubject";
  /** Relative to the prefix, perhaps ending in `.>`. Default: every subject. */
  readonly subject?: string;
};

/** What comes from a consumer. */
export type Arrival =
  | { readonly kind: "record"; readonly delivered: Delivered }
  /** Nothing new, but the consumer lives. */
  | { readonly kind: "heartbeat" }
  /** That pull is over before it brought all it asked for; `drained` when that is because there is no more now. */
  | { readonly kind: "over"; readonly pull: number; readonly drained: boolean }
  /** The consumer is gone: deleted, its stream deleted, its server shutting down. */
  | { readonly kind: "gone"; readonly why: string };

/** How much one pull asks for. It ends at whichever comes first. */
export type Pull = {
  readonly records: number;
  readonly bytes: number;
  /** Whether it stays open for records to come, with a heartbeat each {@link HEARTBEAT_MS}, or ends when there are none. */
  readonly waits: boolean;
};

/** A consumer of our own in the server's memory, which ends with us. */
export interface Consumer {
  /** Asks for records; the server answers pulls one after the other. Returns the pull's number. */
  pull(what: Pull): number;
  /** Ends it, and tells the server, without waiting for an answer. */
  close(): void;
}

/** How often the server says that a waiting pull is still open. */
export const HEARTBEAT_MS = 1_000;
/** How long a pull waits before it ends and is asked anew, ms. */
const PULL_MS = 30_000;
/** When the server drops a consumer that nobody pulls from, ms: a gateway that was killed, or stood still for as long. */
const INACTIVE_MS = 60_000;
/** How long a consumer may take to make, ms: 2.9 counts what it will deliver, over the whole stream. */
const CREATE_MS = 5_000;
const NS_PER_MS = 1_000_000;

/** Makes a consumer; `receive` gets what comes, in order. Rejects as {@link ask} does. */
export async function openConsumer(
  js: JetStream,
  connection: NatsConnection,
  start: ConsumerStart,
  receive: (arrival: Arrival) => void,
): Promise<Consumer> {
  const name = `taskwire_${nuid.next()}`;
  const filter = start.subject === undefined ? undefined : `${js.prefix}.${start.subject}`;
  const operation = `CONSUMER.CREATE.${js.stream}.${name}`;
  await ask(
    connection,
    filter === undefined ? operation : `${operation}.${filter}`,
    {
      stream_name: js.stream,
      config: {
        name,
        ...policyOf(start.from),
        ...(filter === undefined ? {} : { filter_subject: filter }),
        ...EPHEMERAL,
      },
    },
    v.object({}),
    CREATE_MS,
  );
  const inbox = js.link.newInbox();
  // Each pull has an inbox of its own, so that a word on one is not taken for another's.
  let pulls = 0;
  const subscription = connection.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      if (error !== null) return receive({ kind: "gone", why: error.message });
      if (!message.subject.startsWith(inbox)) return receive(recordOf(deliveredOf(message, js.prefix)));
      receive(arrivalOf(statusOf(message), Number(message.subject.slice(inbox.length + 1))));
    },
  });
  return {
    pull({ records, bytes, waits }) {
      pulls++;
      const request = {
        batch: records,
        max_bytes: bytes,
        ...(waits
          ? { expires: PULL_MS * NS_PER_MS, idle_heartbeat: HEARTBEAT_MS * NS_PER_MS }
          : { no_wait: true }),
      };
      connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${js.stream}.${name}`, JSON.stringify(request), {
        reply: `${inbox}.${pulls}`,
      });
      return pulls;
    },
    close() {
      if (connection.isClosed() || connection.isDraining()) return;
      subscription.unsubscribe();
      connection.publish(`$JS.API.CONSUMER.DELETE.${js.stream}.${name}`);
    },
  };
}

const EPHEMERAL = {
  ack_policy: "none",
  replay_policy: "instant",
  max_deliver: 1,
  mem_storage: true,
  num_replicas: 1,
  inactive_threshold: INACTIVE_MS * NS_PER_MS,
};

function policyOf(from: ConsumerStart["from"]): Readonly<Record<string, unknown>> {
  return from === "lastPerSubject"
    // It wants a filter; one of its own overrides this.
    ? { deliver_policy: "last_per_subject", filter_subject: ">" }
    : { deliver_policy: "by_start_sequence", opt_start_seq: from };
}

function recordOf(delivered: Delivered | undefined): Arrival {
  return delivered === undefined
    ? { kind: "gone", why: "a message came that is no record" }
    : { kind: "record", delivered };
}

/** What a status means. 2.9.10 ends a pull that found nothing with 404, one that found less than it asked for with 408. */
function arrivalOf(status: ReturnType<typeof statusOf>, pull: number): Arrival {
  switch (status?.code) {
    case 100:
      return { kind: "heartbeat" };
    case 404:
    case 408:
      return { kind: "over", pull, drained: true };
    case 409:
      // The first from every server, the second from later ones, when a pull got all it asked for.
      if (/^(message size exceeds maxbytes|batch completed)/i.test(status.description)) {
        return { kind: "over", pull, drained: false };
      }
  }
  return {
    kind: "gone",
    why: status === undefined ? "an unreadable status" : `${status.code} ${status.description}`,
  };
}
