import { headers, type MsgHdrs } from "nats.ws";
import * as v from "valibot";
import type { Place } from "../protocol/partitions.ts";
import { type Appended, entryFault, LogError, type NewEntry, OVERTAKEN } from "./event_log.ts";
import { answerOf, API_CODES, ApiError, connectionOf, type JetStream } from "./jetstream_api.ts";
import { destinationOf, type Partitioned } from "./jetstream_partition.ts";
import { Slots } from "./jetstream_slots.ts";
import { NAMESPACES } from "./jetstream_stream.ts";
import { patiently } from "./jetstream_wait.ts";

/** Records on their way to the server at once, over all callers; more wait their turn. */
const IN_FLIGHT = 512;
/** Records that may wait for their turn; further ones are refused a place. */
const MAX_WAITING = 50_000;
/** How long one try waits for its acknowledgement, ms. A lost connection ends it at once. */
const TRY_MS = 2_000;
/** What NATS takes at most, headers included, where it has not said yet. */
const DEFAULT_MAX_PAYLOAD = 1_048_576;

/** The last record of the subject is another one, or is about to be. */
const WRONG_LAST: ReadonlySet<number> = new Set([API_CODES.wrongLastSequence, API_CODES.wrongLastInProcess]);

const Acknowledged = v.object({ seq: v.number(), duplicate: v.optional(v.boolean(), false) });

/** How appends go on when the server does not answer. */
export type AppendOptions = {
  /** How long a record is tried once its turn has come, ms. */
  readonly withinMs: number;
  /** Makes the id of a record that has none, so that trying it again cannot store it twice. */
  readonly newId: () => string;
  /** The log of which this is a part, to all of which is appended. Default: it is the whole. */
  readonly partitioned?: Partitioned | undefined;
};

type Publication = { readonly subject: string; readonly body: Uint8Array; readonly headers: MsgHdrs };

/**
 * Publishes records and waits for their acknowledgements, many at once, in the order in which they are given.
 *
 * What fails in passing is tried again under the same id. After a lost connection everything unacknowledged goes out
 * again in its order, and what had been stored is recognised. Only where single records fail while others pass, during
 * the election of a leader in a cluster, may a record come to lie behind a later one of the same call.
 */
export class Appender {
  readonly #js: JetStream;
  readonly #options: AppendOptions;
  readonly #whole: Place | Partitioned;
  readonly #closing: AbortSignal;
  readonly #slots = new Slots(IN_FLIGHT, MAX_WAITING);

  constructor(js: JetStream, options: AppendOptions, closing: AbortSignal) {
    this.#js = js;
    this.#options = options;
    this.#whole = options.partitioned ?? js;
    this.#closing = closing;
  }

  /** See `EventLog.append`. Rejects with the first record's failure, when all have come to their end. */
  async append(entries: readonly NewEntry[]): Promise<readonly Appended[]> {
    const publications = entries.map((entry) => this.#publication(entry));
    const outcomes = await Promise.allSettled(publications.map((publication) => this.#store(publication)));
    return outcomes.map((outcome) => {
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value;
    });
  }

  /** Throws {@link LogError} "refused" when the record may not be stored; then nothing of its batch is sent. */
  #publication(entry: NewEntry): Publication {
    const { subject, body, id = "", traceparent = "", last } = entry;
    const fault = entryFault(entry) ?? namespaceFault(subject);
    if (fault !== undefined) throw new LogError("refused", `Cannot append: ${fault}`);
    const to = destinationOf(this.#whole, subject);
    if ("fault" in to) throw new LogError("refused", `Cannot append: ${to.fault}`);
    const added: Record<string, string> = {
      "Nats-Msg-Id": id === "" ? this.#options.newId() : id,
      "Nats-Expected-Stream": to.stream,
      ...(traceparent === "" ? {} : { traceparent }),
      ...(last === undefined ? {} : { "Nats-Expected-Last-Subject-Sequence": String(last) }),
    };
    const maxBytes = this.#js.link.connection?.info?.max_payload ?? DEFAULT_MAX_PAYLOAD;
    if (headerBytes(added) + body.length > maxBytes) {
      throw new LogError(
        "refused",
        `Cannot append: body: ${body.length} bytes are more than the server takes (${maxBytes})`,
      );
    }
    const carried = headers();
    for (const [name, value] of Object.entries(added)) carried.set(name, value);
    return { subject: to.subject, body, headers: carried };
  }

  async #store(publication: Publication): Promise<Appended> {
    const { withinMs } = this.#options;
    const doing = `Cannot append to ${publication.subject}`;
    using _slot = await this.#slots.take();
    return await patiently(this.#js, { withinMs }, doing, this.#closing, () => this.#tryOnce(publication));
  }

  async #tryOnce({ subject, body, headers }: Publication): Promise<Appended> {
    const reply = await connectionOf(this.#js).request(subject, body, { headers, timeout: TRY_MS });
    try {
      return answerOf(reply.data, Acknowledged);
    } catch (error) {
      if (error instanceof ApiError && WRONG_LAST.has(error.errCode)) return OVERTAKEN;
      throw error;
    }
  }
}

function namespaceFault(subject: string): string | undefined {
  return NAMESPACES.some((namespace) => subject.startsWith(`${namespace}.`))
    ? undefined
    : `subject: must begin with ${NAMESPACES.map((namespace) => `${namespace}.`).join(" or ")}`;
}

/** `NATS/1.0`, a line for each, and an empty line; all of it is ASCII. */
function headerBytes(added: Readonly<Record<string, string>>): number {
  return Object.entries(added).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 12);
}
