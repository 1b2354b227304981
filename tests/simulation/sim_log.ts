import {
  type Appended,
  type Entry,
  entryFault,
  type EventLog,
  type Extent,
  type Followed,
  LogError,
  type NewEntry,
  type Page,
  type PageQuery,
  subjectMatches,
} from "../../src/log/event_log.ts";
import type { Chance } from "./chance.ts";
import type { SimClock } from "./sim_time.ts";
import type { SimStream } from "./sim_stream.ts";

/** How long the log's client tries before it says that the log is out of reach, ms. */
const TIMEOUT_MS = 400;
const MOST_AT_ONCE = 20;

/** The log of one gateway: a stream at the other end of a link that delays, breaks, and loses what was on its way. */
export class SimLog implements EventLog {
  readonly #stream: SimStream;
  readonly #clock: SimClock;
  readonly #chance: Chance;
  /** Whether this gateway reaches the stream's server. */
  isLinked = true;
  /** The likelihood that an answer is lost. */
  losses = 0;
  /** How slow the link is, ms at most. */
  latencyMs = 4;

  constructor(stream: SimStream, clock: SimClock, chance: Chance) {
    this.#stream = stream;
    this.#clock = clock;
    this.#chance = chance;
  }

  get #isReachable(): boolean {
    return this.isLinked && this.#stream.isUp;
  }

  async append(entries: readonly NewEntry[]): Promise<readonly Appended[]> {
    for (const entry of entries) {
      const fault = entryFault(entry);
      if (fault !== undefined) throw new LogError("refused", fault);
    }
    return await this.#asked(() => entries.map((entry) => this.#stream.publish(entry)));
  }

  async *follow(
    from: { readonly epoch: string; readonly after: number },
    signal: AbortSignal,
  ): AsyncGenerator<Followed, undefined, undefined> {
    let { epoch, after } = from;
    let wasReachable = true;
    while (!signal.aborted) {
      await this.#delay();
      if (this.#isReachable !== wasReachable) {
        wasReachable = this.#isReachable;
        yield { kind: "reachable", reachable: wasReachable };
        continue;
      }
      const { extent } = this.#stream;
      if (!wasReachable) await this.#news(signal);
      else if (epoch !== extent.epoch || after > extent.lastSeq) {
        epoch = extent.epoch;
        after = extent.firstSeq - 1;
        yield { kind: "epoch", extent };
      } else if (after >= extent.lastSeq) await this.#news(signal);
      else if (extent.firstSeq > after + 1) {
        const to = extent.firstSeq - 1;
        yield { kind: "missed", from: after + 1, to };
        after = to;
      } else {
        const most = this.#chance.whole(1, MOST_AT_ONCE);
        const entries = this.#stream.entries.filter(({ seq }) => seq > after).slice(0, most);
        yield { kind: "entries", entries };
        after = entries.at(-1)?.seq ?? after;
      }
    }
  }

  async read({ after, upTo = Infinity, subject, limit, positions }: PageQuery): Promise<Page> {
    return await this.#asked(() => {
      const end = Math.max(after, Math.min(upTo, this.#stream.extent.lastSeq));
      const all = this.#stream.entries.filter((entry) =>
        entry.seq > after && entry.seq <= end && subjectMatches(subject, entry.subject) &&
        (positions === undefined || positions.includes(entry.seq))
      );
      const entries = all.slice(0, limit);
      return { entries, through: all.length < limit ? end : entries.at(-1)?.seq ?? after };
    });
  }

  async *lastPerSubject(subject?: string): AsyncGenerator<readonly Entry[], void, undefined> {
    const lasts = await this.#asked(() => {
      const bySubject = new Map<string, Entry>();
      for (const entry of this.#stream.entries) {
        if (subjectMatches(subject, entry.subject)) bySubject.set(entry.subject, entry);
      }
      return [...bySubject.values()].sort((one, other) => one.seq - other.seq);
    });
    for (let i = 0; i < lasts.length; i += MOST_AT_ONCE) yield lasts.slice(i, i + MOST_AT_ONCE);
  }

  extent(): Promise<Extent> {
    return this.#asked(() => this.#stream.extent);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  /** Asks the stream's server. What it did is done though its answer may be lost. */
  async #asked<R>(look: () => R): Promise<R> {
    await this.#delay();
    if (!this.#isReachable) await this.#lost();
    const seen = look();
    await this.#delay();
    if (!this.#isReachable || this.#chance.happens(this.losses)) await this.#lost();
    return seen;
  }

  async #lost(): Promise<never> {
    await this.#passed(TIMEOUT_MS);
    throw new LogError("unreachable", "the log did not answer");
  }

  #delay(): Promise<void> {
    return this.#passed(this.#chance.whole(0, this.latencyMs));
  }

  #passed(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(ms, resolve));
  }

  #news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#stream.onChange(done);
      function done(): void {
        stop();
        signal.removeEventListener("abort", done);
        resolve();
      }
      signal.addEventListener("abort", done);
    });
  }
}
