import { type Appended, type Entry, LogError, type NewEntry, OVERTAKEN } from "../../src/log/event_log.ts";

const DEDUP_MS = 120_000;

/** A model of a stream of JetStream's, as far as its promises go: one order, ids stored once within a window, retention. */
export class SimStream {
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  readonly #ids = new Map<string, { readonly seq: number; readonly time: number }>();
  #entries: Entry[] = [];
  #archive: Entry[] = [];
  #life = 1;
  #firstSeq = 1;
  #lastSeq = 0;
  /** Whether its server runs. */
  isUp = true;
  /** Up to where retention has ever taken something in this life of the stream. */
  taken = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Everything that was ever written in this life of the stream, whatever retention took since. */
  get archive(): readonly Entry[] {
    return this.#archive;
  }

  get epoch(): string {
    return `life-${this.#life}`;
  }

  get extent(): { readonly epoch: string; readonly firstSeq: number; readonly lastSeq: number } {
    return { epoch: this.epoch, firstSeq: this.#firstSeq, lastSeq: this.#lastSeq };
  }

  /** Whether it stored an event of this id in its present life. */
  has(id: string): boolean {
    return this.#ids.has(id);
  }

  publish({ subject, body, id, traceparent, last }: NewEntry): Appended {
    if (!this.isUp) throw new LogError("unreachable", "the stream's server is away");
    const known = id === undefined ? undefined : this.#ids.get(id);
    const time = this.#now();
    if (known !== undefined && time - known.time < DEDUP_MS) return { seq: known.seq, duplicate: true };
    const lastOfIt = this.#entries.findLast((entry) => entry.subject === subject)?.seq ?? 0;
    if (last !== undefined && last !== lastOfIt) return OVERTAKEN;
    const seq = ++this.#lastSeq;
    const entry = { seq, time, subject, body, ...(traceparent === undefined ? {} : { traceparent }) };
    this.#entries.push(entry);
    this.#archive.push(entry);
    if (id !== undefined) this.#ids.set(id, { seq, time });
    this.changed();
    return { seq, duplicate: false };
  }

  /** Retention takes everything before `seq`. */
  dropBefore(seq: number): void {
    this.#firstSeq = Math.max(this.#firstSeq, Math.min(seq, this.#lastSeq + 1));
    this.taken = Math.max(this.taken, this.#firstSeq - 1);
    this.#entries = this.#entries.filter((entry) => entry.seq >= this.#firstSeq);
  }

  /** It is deleted and made again. */
  recreate(): void {
    this.#entries = [];
    this.#archive = [];
    this.#ids.clear();
    this.#life++;
    this.#firstSeq = 1;
    this.#lastSeq = 0;
    this.taken = 0;
    this.changed();
  }

  /** Tells of news: records, another life, a server that went or came. Returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
