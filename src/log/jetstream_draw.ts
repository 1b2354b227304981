import type { NatsConnection } from "nats.ws";
import { LogError } from "./event_log.ts";
import type { JetStream } from "./jetstream_api.ts";
import { type Arrival, type ConsumerStart, HEARTBEAT_MS, openConsumer } from "./jetstream_consumer.ts";
import type { Delivered } from "./jetstream_record.ts";
import { unlessAborted } from "./jetstream_wait.ts";

/** How records are drawn. */
export type Drawing = ConsumerStart & {
  /** Whether to wait for records to come, for ever, or to end when there are no more. */
  readonly waits: boolean;
  /** Most records at once. */
  readonly atOnce: number;
};

/** What one pull may bring, in bytes; at least two of the largest messages, so that the largest gets through. */
const PULL_BYTES = 8 * 1024 * 1024;
/** How long a waiting pull may be silent: two heartbeats and some. */
const SILENT_WAITING_MS = 2.5 * HEARTBEAT_MS;
/** How long a pull that does not wait may be silent: the server may be reading through a cold gigabyte for one record. */
const SILENT_READING_MS = 10_000;

/** How often in that time it is looked whether there was a word. */
const LOOKS = 5;

/** The server said that a consumer is gone, or the connection did; unlike silence, that may be over at once. */
export class GoneError extends LogError {
  override name = "GoneError";
}

/**
 * Draws records in order, each once, in batches of what has come since the last one. An empty batch is a sign of life: the
 * first says that the consumer is there, later ones that it has nothing new. The next pull is asked for when a batch is
 * taken, and where it waits already when half of the last one has come, so that the server need not pause; at most two
 * pulls' worth lies here, however slow the taker.
 * Ends when `signal` aborts; throws {@link LogError} "unreachable" when the consumer or the connection is lost.
 */
export async function* draw(
  js: JetStream,
  connection: NatsConnection,
  drawing: Drawing,
  signal: AbortSignal,
): AsyncGenerator<readonly Delivered[], undefined, undefined> {
  const { waits, atOnce } = drawing;
  const silentMs = waits ? SILENT_WAITING_MS : SILENT_READING_MS;
  const inflow = new Inflow();
  const bytes = Math.max(PULL_BYTES, 2 * (connection.info?.max_payload ?? 0));
  const opening = openConsumer(js, connection, drawing, (arrival) => inflow.arrive(arrival));
  const consumer = await unlessAborted(opening, signal, (late) => late.close());
  if (consumer === undefined) return;
  const unwatch = js.link.watch(() => inflow.arrive({ kind: "gone", why: "the connection was lost" }));
  // One for all waiting: setting a timer for each record takes longer than handing it on.
  const listening = setInterval(() => inflow.listen(silentMs), silentMs / LOOKS);
  const onAbort = () => {
    clearInterval(listening); // whoever took what came may never come back
    inflow.wake();
  };
  signal.addEventListener("abort", onAbort);
  try {
    yield [];
    while (!signal.aborted) {
      const batch = inflow.take();
      const wantsMore = waits ? inflow.awaited <= atOnce / 2 : inflow.awaited === 0 && !inflow.drained;
      if (wantsMore && inflow.gone === undefined) {
        inflow.expect(consumer.pull({ records: atOnce, bytes, waits }), atOnce);
      }
      if (batch.length > 0) yield batch;
      else if (inflow.gone !== undefined) {
        throw new GoneError("unreachable", `Reading broke off: ${inflow.gone}`);
      } else if (inflow.drained && !waits) return;
      else if (!await inflow.next()) {
        throw new LogError("unreachable", `Reading broke off: no word for ${silentMs} ms`);
      } else if (inflow.hasNothing) yield [];
    }
  } finally {
    clearInterval(listening);
    signal.removeEventListener("abort", onAbort);
    unwatch();
    consumer.close();
  }
}

/** What has come and was not taken yet. */
class Inflow {
  /** Whether the last pull ended because there was no more. */
  drained = false;
  /** Why nothing more will come. What came before it still counts. */
  gone: string | undefined;
  /** The pulls under way, in the order in which they are answered, and how many records each may still bring. */
  #pulls: { readonly number: number; left: number }[] = [];
  #records: Delivered[] = [];
  #deliveredSeq = 0;
  #wake: (came: boolean) => void = () => {};
  #waitingMs = 0;

  /** How many records the pulls under way may still bring; 0 when none is. */
  get awaited(): number {
    return this.#pulls.reduce((sum, { left }) => sum + left, 0);
  }

  /** A pull was asked for. */
  expect(number: number, records: number): void {
    this.#pulls.push({ number, left: records });
    this.drained = false;
  }

  arrive(arrival: Arrival): void {
    if (this.gone !== undefined) return;
    switch (arrival.kind) {
      case "record":
        this.#record(arrival.delivered);
        break;
      case "over":
        this.#pulls = this.#pulls.filter(({ number }) => number !== arrival.pull);
        this.drained = arrival.drained;
        break;
      case "gone":
        this.gone = arrival.why;
        break;
      case "heartbeat":
        break;
    }
    this.#wake(true);
  }

  #record(delivered: Delivered): void {
    // The consumer counts what it sends: this is how a message lost on the way shows.
    if (delivered.deliveredSeq !== this.#deliveredSeq + 1) {
      this.gone = `record ${this.#deliveredSeq + 1} of the consumer is missing`;
      return;
    }
    this.#deliveredSeq = delivered.deliveredSeq;
    this.#records.push(delivered);
    this.drained = false;
    const [pull] = this.#pulls;
    if (pull !== undefined && --pull.left === 0) this.#pulls.shift();
  }

  get hasNothing(): boolean {
    return this.#records.length === 0 && this.gone === undefined;
  }

  take(): readonly Delivered[] {
    const records = this.#records;
    if (records.length > 0) this.#records = [];
    return records;
  }

  wake(): void {
    this.#wake(true);
  }

  /** Resolves when something comes; with false when nothing does for as long as `listen` allows. */
  next(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waitingMs = performance.now();
    this.#wake = (came) => {
      this.#wake = () => {};
      resolve(came);
    };
    return promise;
  }

  /** Ends a wait in which nothing came for `silentMs`. */
  listen(silentMs: number): void {
    if (performance.now() - this.#waitingMs >= silentMs) this.#wake(false);
  }
}
