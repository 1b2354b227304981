import { type Clock, systemClock } from "./clock.ts";
import { type OutgoingValue, outgoingValue, type ValueCarrier } from "./outgoing_value.ts";
import { isGatewayUrl, parseGatewayUrl, reachNats, type ReachOptions, warn } from "./reach.ts";
import { type OnTrouble, type Outcome, Sender } from "./sender.ts";
import type { Stored } from "./transport.ts";
import { gatewayValues, natsValues } from "./value_carriers.ts";
import { within } from "./within.ts";
import { WorkerError } from "./worker_error.ts";

/** How a publisher publishes, and where. Times are in ms. */
export type PublisherOptions = ReachOptions & {
  /**
   * Values kept while the log is slow or out of reach. Default: 1000. From there on `send` waits; as many again may be
   * given without waiting, and further ones are rejected as `overloaded`.
   */
  readonly maxQueued?: number;
  /** How long a value is tried for. Default: until the publisher closes. */
  readonly deadlineMs?: number;
  /** How long closing waits for what is not in the log yet. Default: 5000. */
  readonly closeMs?: number;
  /**
   * Told what no call can be rejected for: that the log is out of reach (at most once a minute), what `send` gave that was
   * refused, values left behind at closing. Default: a process warning.
   */
  readonly onTrouble?: OnTrouble;
  /** Time and chance; tests bring their own. */
  readonly clock?: Clock;
  /** Makes the ids by which the log knows a repeated value. Default: random UUIDs. */
  readonly newId?: () => string;
};

/** What is said of a value beside what it is. */
export type Publication = {
  /** Whose value it is within the channel: 1–128 characters without white space. Default: the channel has but one value. */
  readonly key?: string | undefined;
  /** Names the value, so that publishing it again within `DEDUP_WINDOW` stores it once. Default: one of its own. */
  readonly eventId?: string;
};

/** Publishes values to channels. `await using` it, or `close()` it: it has timers and a connection. */
export interface Publisher extends AsyncDisposable {
  /**
   * Publishes any JSON; resolves when the log has it, rejects with a {@link WorkerError} when it never will. A gateway refuses what
   * its namespace does not take; NATS itself takes it, and gateways list it as rejected.
   */
  publish(topic: string, payload: unknown, publication?: string | Publication): Promise<Stored>;
  /**
   * The same for who does not wait for each: resolves as soon as there is room for more, so that whoever awaits it is as slow as
   * the log. Rejects where the value breaks a rule; what becomes of it later only `onTrouble` is told.
   */
  send(topic: string, payload: unknown, publication?: string | Publication): Promise<void>;
  /** Resolves when the log has everything said so far. */
  flush(): Promise<void>;
  /** Flushes for up to `closeMs`, then ends: what was not sent rejects as `closed`. */
  close(): Promise<void>;
}

/** Keys that are published at the same time, where each goes by itself. */
const MAX_IN_FLIGHT = 256;

/**
 * A publisher to `url`, which is as for `connectWorker`: NATS itself, or a gateway. Values of one key are stored in the order in
 * which they were given, each once, through outages too.
 *
 * ```ts
 * await using publisher = await connectPublisher("http://127.0.0.1:8000");
 * await publisher.publish("data:candles", { close: 42150.5 }, "BTCUSDT");
 * for await (const tick of ticks) await publisher.send("data:ticks", tick, tick.symbol);
 * ```
 */
export async function connectPublisher(url: string, options: PublisherOptions = {}): Promise<Publisher> {
  const { clock = systemClock, token, prefix = "taskwire", onTrouble = warn } = options;
  const carrier = isGatewayUrl(url)
    ? await gatewayValues(parseGatewayUrl(url), { clock, token })
    : await natsValues(await reachNats(url, { ...options, name: "taskwire publisher", onTrouble }), prefix);
  return createPublisher(carrier, { ...options, onTrouble });
}

/** A publisher by way of `carrier`, which it closes with itself. */
export function createPublisher(
  carrier: ValueCarrier,
  options: PublisherOptions & { readonly onTrouble: OnTrouble },
): Publisher {
  const { clock = systemClock, maxQueued = 1_000, deadlineMs = Infinity, closeMs = 5_000 } = options;
  const { newId = () => crypto.randomUUID() } = options;
  // Not in the middle of a turn of ours: what it throws is the caller's, and may break nothing here.
  const onTrouble: OnTrouble = (trouble) => queueMicrotask(() => options.onTrouble(trouble));
  const limits = { maxQueued, maxInFlight: MAX_IN_FLIGHT, deadlineMs };
  const sender = new Sender<OutgoingValue>(carrier, { clock, onTrouble, limits });
  let outstanding = 0;
  let waiting: (() => void)[] = [];

  const valueOf = (topic: string, payload: unknown, publication: string | Publication = {}) => {
    const { key = "", eventId = newId() } = typeof publication === "string"
      ? { key: publication }
      : publication;
    return outgoingValue({ id: eventId, topic, key, payload }, carrier.laneOf);
  };
  const give = (value: OutgoingValue, settled: (outcome: Outcome) => void) => {
    outstanding++;
    const end = (outcome: Outcome): void => {
      outstanding--;
      if (outstanding <= maxQueued) { for (const go of waiting.splice(0)) go(); }
      settled(outcome);
    };
    if (sender.offer(value, end)) return;
    const message =
      `a value of ${value.topic} not queued: ${maxQueued} are, and as many wait; await what send returns`;
    end({ kind: "failed", error: new WorkerError("overloaded", message) });
  };

  async function end(): Promise<void> {
    await within(closeMs, sender.flush(), clock);
    const unsent = sender.close();
    await carrier[Symbol.asyncDispose]();
    if (unsent > 0) {
      onTrouble(new WorkerError("closed", `the publisher was closed with ${unsent} values not in the log`));
    }
  }
  let ended: Promise<void> | undefined;
  const close = () => ended ??= end();

  return {
    publish: (topic, payload, publication) =>
      new Promise((resolve, reject) =>
        give(valueOf(topic, payload, publication), (outcome) => {
          if (outcome.kind === "stored") resolve(outcome.stored);
          else if (outcome.kind === "failed") reject(outcome.error);
        })
      ),
    async send(topic, payload, publication) {
      const overloaded = await new Promise<WorkerError | undefined>((resolve) => {
        let isGiven = false;
        give(valueOf(topic, payload, publication), (outcome) => {
          if (outcome.kind !== "failed") return;
          if (isGiven) onTrouble(outcome.error);
          else resolve(outcome.error);
        });
        isGiven = true;
        if (outstanding <= maxQueued) resolve(undefined);
        else waiting = [...waiting, () => resolve(undefined)];
      });
      if (overloaded !== undefined) throw overloaded;
    },
    flush: () => sender.flush(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
