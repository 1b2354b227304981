import type { NatsOptions, Trying } from "../nats/connect.ts";
import { NatsConnectError } from "../nats/connect.ts";
import { openLink } from "../nats/link.ts";
import { type Partition, placeOf } from "../protocol/partitions.ts";
import {
  type Appended,
  type Entry,
  type EventLog,
  type Extent,
  type Followed,
  LogError,
  type NewEntry,
  type Page,
  type PageQuery,
} from "./event_log.ts";
import { Appender } from "./jetstream_append.ts";
import { connectionOf, type JetStream, logError } from "./jetstream_api.ts";
import { followStream } from "./jetstream_follow.ts";
import { readLasts, readPage } from "./jetstream_history.ts";
import { assertMapped, type Partitioned } from "./jetstream_partition.ts";
import { Slots } from "./jetstream_slots.ts";
import { assertStream, ensureStream, extentOf, type StreamSettings } from "./jetstream_stream.ts";
import { patiently } from "./jetstream_wait.ts";

/** How to open a log on NATS. */
export type JetStreamLogOptions = StreamSettings & {
  /** Where NATS is and who we are there. */
  readonly nats: NatsOptions;
  /** The stream's name; made when missing. */
  readonly stream: string;
  /** What every subject begins with: tokens between dots. */
  readonly prefix: string;
  /** Of which part of the tasks it is; appended is to all of them. Default: of all tasks. */
  readonly partition?: Partition | undefined;
  /** How the first connection is sought. Default: for ever. */
  readonly connecting?: Trying;
  /** How long JetStream may take to be there once NATS is, ms. Default: 10,000. */
  readonly readyWithinMs?: number;
  /** How long reading is tried before it rejects as unreachable, ms: over a restart of the server. Default: 3,000. */
  readonly readWithinMs?: number;
  /** How long an append is tried before it rejects as unreachable, ms. Default: 10,000. */
  readonly appendWithinMs?: number;
  /**
   * `make`, the default: the stream is made where it is missing, and has to be as the settings say. `take`: it has to be
   * there, and is taken as it is; for who only reads.
   */
  readonly opening?: "make" | "take";
  /** Makes ids for records that have none. Default: random UUIDs. */
  readonly newId?: () => string;
};

/** Pages read at once; each is a consumer of 47 kB in the server, and 2,000 of them halve its publish rate. */
const READERS = 16;
/** Pages that may wait to be read; further ones are refused. */
const MAX_WAITING_READS = 50_000;

/**
 * Opens the log in a JetStream stream, making the stream when it is missing. Rejects with {@link LogError}: "mismatch"
 * when the stream is set otherwise, "refused" for credentials and rights, "unreachable" when JetStream does not come.
 */
export async function openJetStreamLog(options: JetStreamLogOptions): Promise<EventLog> {
  const { nats, partition } = checked(options);
  const js = { link: await linked(nats, options.connecting), ...placeOf(options, partition?.partition) };
  try {
    await ready(js, options);
    return new JetStreamLog(js, options);
  } catch (error) {
    await js.link[Symbol.asyncDispose]();
    throw error;
  }
}

function checked(options: JetStreamLogOptions): JetStreamLogOptions {
  const { stream, prefix } = options;
  if (!/^[\w-]{1,255}$/.test(stream)) {
    throw new LogError("refused", `Cannot use the stream name "${stream}": it is letters, digits, - and _`);
  }
  if (!/^[\w-]+(\.[\w-]+)*$/.test(prefix)) {
    throw new LogError(
      "refused",
      `Cannot use the subject prefix "${prefix}": it is tokens of letters, digits, - and _`,
    );
  }
  return options;
}

async function linked(nats: NatsOptions, trying?: Trying): Promise<JetStream["link"]> {
  try {
    return await openLink(nats, trying);
  } catch (cause) {
    if (!(cause instanceof NatsConnectError)) throw cause;
    throw new LogError(cause.code === "unreachable" ? "unreachable" : "refused", cause.message, { cause });
  }
}

/** JetStream may come up after its server, and a cluster's after an election. */
async function ready(js: JetStream, options: JetStreamLogOptions): Promise<void> {
  const { readyWithinMs: withinMs = 10_000, connecting } = options;
  const signal = connecting?.signal ?? new AbortController().signal;
  const doing = `Cannot open the stream ${js.stream}`;
  const open = options.opening === "take" ? assertStream : ensureStream;
  await patiently(js, { withinMs }, doing, signal, async () => {
    await open(js, connectionOf(js), options);
    const partitioned = partitionedOf(options);
    if (partitioned !== undefined && open === ensureStream) await assertMapped(connectionOf(js), partitioned);
  });
}

function partitionedOf({ stream, prefix, partition }: JetStreamLogOptions): Partitioned | undefined {
  return partition && { stream, prefix, ...partition };
}

class JetStreamLog implements EventLog {
  readonly #js: JetStream;
  readonly #settings: StreamSettings;
  readonly #readWithinMs: number;
  readonly #closing = new AbortController();
  readonly #appender: Appender;
  readonly #readers = new Slots(READERS, MAX_WAITING_READS);
  /** What is under way and is waited for before the connection is closed. */
  readonly #pending = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(js: JetStream, options: JetStreamLogOptions) {
    this.#js = js;
    this.#settings = options;
    this.#readWithinMs = options.readWithinMs ?? 3_000;
    const { appendWithinMs: withinMs = 10_000, newId = () => crypto.randomUUID() } = options;
    const partitioned = partitionedOf(options);
    this.#appender = new Appender(js, { withinMs, newId, partitioned }, this.#closing.signal);
  }

  async append(entries: readonly NewEntry[]): Promise<readonly Appended[]> {
    this.#assertOpen();
    return await this.#during(this.#appender.append(entries));
  }

  async *follow(
    from: { readonly epoch: string; readonly after: number },
    signal: AbortSignal,
  ): AsyncGenerator<Followed, undefined, undefined> {
    this.#assertOpen();
    yield* followStream(this.#js, this.#settings, from, AbortSignal.any([signal, this.#closing.signal]));
    await this.#closed;
    if (!signal.aborted) this.#assertOpen();
  }

  read(query: PageQuery): Promise<Page> {
    const { signal } = this.#closing;
    return this.#looking("Cannot read", () => readPage(this.#js, this.#readers, query, signal));
  }

  async *lastPerSubject(subject?: string): AsyncGenerator<readonly Entry[], undefined, undefined> {
    this.#assertOpen();
    try {
      yield* readLasts(this.#js, this.#readers, subject, this.#closing.signal);
    } catch (error) {
      this.#assertOpen();
      throw logError(error, "Cannot read the last record of each subject");
    }
    this.#assertOpen();
  }

  extent(): Promise<Extent> {
    return this.#looking("Cannot look at the stream", () => extentOf(this.#js, connectionOf(this.#js)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Followers and pages end; appends that were given are brought to their end, as far as NATS is there. */
  async #close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#pending);
    await this.#js.link[Symbol.asyncDispose]();
  }

  async #looking<T>(doing: string, look: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    const { signal } = this.#closing;
    return await this.#during(patiently(this.#js, { withinMs: this.#readWithinMs }, doing, signal, look));
  }

  async #during<T>(acting: Promise<T>): Promise<T> {
    this.#pending.add(acting);
    try {
      return await acting;
    } catch (error) {
      this.#assertOpen();
      throw error;
    } finally {
      this.#pending.delete(acting);
    }
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new LogError("closed", "The log was closed");
  }
}
