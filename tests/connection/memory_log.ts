import {
  type Appended,
  type Entry,
  entryFault,
  type EventLog,
  type Extent,
  type Followed,
  LogError,
  type NewEntry,
  OVERTAKEN,
  type Page,
  type PageQuery,
  subjectMatches,
} from "../../src/log/event_log.ts";

const MAX_BODY_BYTES = 1_048_576;

/** What a memory log keeps, and by which clock. */
export type MemoryLogOptions = {
  readonly now: () => number;
  readonly retainPerSubject?: number;
  readonly retainAgeMs?: number;
  readonly dedupWindowMs?: number;
};

/** An {@link EventLog} in memory: it holds to the contract, and tests say when it answers. */
export class MemoryLog implements EventLog {
  readonly #options: MemoryLogOptions;
  readonly #ids = new Map<string, { readonly seq: number; readonly time: number }>();
  readonly #awaiting = new Set<() => void>();
  #entries: Entry[] = [];
  #epoch = 1;
  #firstSeq = 1;
  #lastSeq = 0;
  #closed = false;
  /** Awaited before and after each read, which sees the log as it is in between; its rejection is the read's. */
  gate: () => Promise<void> = () => Promise.resolve();

  constructor(options: MemoryLogOptions) {
    this.#options = options;
  }

  /** Everything that is retained. */
  get entries(): readonly Entry[] {
    this.#expire();
    return this.#entries;
  }

  /** The life of the log. */
  get epoch(): string {
    return `memory-${this.#epoch}`;
  }

  /** The newest position. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Appends without waiting, as a stranger may: nothing is checked. Returns the position. */
  put({ subject, body, traceparent }: NewEntry): number {
    const seq = ++this.#lastSeq;
    const time = this.#options.now();
    this.#entries.push({ seq, time, subject, body, ...(traceparent === undefined ? {} : { traceparent }) });
    const { retainPerSubject } = this.#options;
    if (retainPerSubject !== undefined) this.#cap(subject, retainPerSubject);
    this.#wake();
    return seq;
  }

  #cap(subject: string, retainPerSubject: number): void {
    const same = this.#entries.filter((entry) => entry.subject === subject);
    const excess = same[same.length - 1 - retainPerSubject];
    if (excess !== undefined) this.#entries = this.#entries.filter((entry) => entry !== excess);
  }

  /** Retention takes everything before `seq`. */
  dropBefore(seq: number): void {
    this.#entries = this.#entries.filter((entry) => entry.seq >= seq);
    this.#firstSeq = Math.max(this.#firstSeq, Math.min(seq, this.#lastSeq + 1));
  }

  /** The log is deleted and made again. */
  recreate(): void {
    this.#entries = [];
    this.#ids.clear();
    this.#epoch++;
    this.#firstSeq = 1;
    this.#lastSeq = 0;
    this.#wake();
  }

  append(entries: readonly NewEntry[]): Promise<readonly Appended[]> {
    if (this.#closed) return Promise.reject(new LogError("closed", "The log is closed"));
    for (const entry of entries) {
      const fault = entry.body.length > MAX_BODY_BYTES
        ? `body: must be at most ${MAX_BODY_BYTES} bytes`
        : entryFault(entry);
      if (fault !== undefined) return Promise.reject(new LogError("refused", `Cannot append: ${fault}`));
    }
    return Promise.resolve(entries.map((entry) => this.#appendOne(entry)));
  }

  #appendOne(entry: NewEntry): Appended {
    const { now, dedupWindowMs = 120_000 } = this.#options;
    const id = entry.id === "" ? undefined : entry.id;
    const known = id === undefined ? undefined : this.#ids.get(id);
    if (known !== undefined && now() - known.time < dedupWindowMs) return { seq: known.seq, duplicate: true };
    if (entry.last !== undefined && entry.last !== this.#lastOf(entry.subject)) return OVERTAKEN;
    const seq = this.put(entry);
    if (id !== undefined) this.#ids.set(id, { seq, time: now() });
    return { seq, duplicate: false };
  }

  #lastOf(subject: string): number {
    return this.entries.findLast((entry) => entry.subject === subject)?.seq ?? 0;
  }

  async *follow(
    from: { readonly epoch: string; readonly after: number },
    signal: AbortSignal,
  ): AsyncGenerator<Followed, undefined, undefined> {
    let { epoch, after } = from;
    while (!signal.aborted) {
      if (this.#closed) throw new LogError("closed", "The log is closed");
      if (epoch !== this.epoch || after > this.#lastSeq) {
        const extent = this.#extent();
        epoch = this.epoch;
        after = extent.firstSeq - 1;
        yield { kind: "epoch", extent };
      } else if (after === this.#lastSeq) {
        await this.#change(signal);
      } else {
        const entries = this.#run(after);
        const next = entries[0]?.seq ?? this.#lastSeq + 1;
        if (next > after + 1) yield { kind: "missed", from: after + 1, to: next - 1 };
        if (signal.aborted) return;
        if (entries.length > 0) yield { kind: "entries", entries };
        after = entries.at(-1)?.seq ?? next - 1;
      }
    }
  }

  /** The next records after `after` that follow each other without a hole. */
  #run(after: number): readonly Entry[] {
    const all = this.entries;
    const start = all.findIndex((entry) => entry.seq > after);
    if (start < 0) return [];
    const first = all[start]?.seq ?? 0;
    return all.slice(start, start + 100).filter((entry, i) => entry.seq === first + i);
  }

  async read({ after, upTo = Infinity, subject, limit, positions }: PageQuery): Promise<Page> {
    const page = await this.#gated(() => {
      const end = Math.max(after, Math.min(upTo, this.#lastSeq));
      const all = this.entries.filter((entry) =>
        entry.seq > after && entry.seq <= end && subjectMatches(subject, entry.subject) &&
        (positions === undefined || positions.includes(entry.seq))
      );
      const entries = all.slice(0, limit);
      return { entries, through: all.length < limit ? end : entries.at(-1)?.seq ?? after };
    });
    return page;
  }

  async *lastPerSubject(subject?: string): AsyncGenerator<readonly Entry[], void, undefined> {
    const lasts = await this.#gated(() => {
      const bySubject = new Map<string, Entry>();
      for (const entry of this.entries) {
        if (subjectMatches(subject, entry.subject)) bySubject.set(entry.subject, entry);
      }
      return [...bySubject.values()].sort((a, b) => a.seq - b.seq);
    });
    for (let i = 0; i < lasts.length; i += 100) yield lasts.slice(i, i + 100);
  }

  extent(): Promise<Extent> {
    return this.#gated(() => this.#extent());
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#wake();
    return Promise.resolve();
  }

  #extent(): Extent {
    const first = this.entries[0]?.seq ?? this.#lastSeq + 1;
    return { epoch: this.epoch, firstSeq: Math.max(first, this.#firstSeq), lastSeq: this.#lastSeq };
  }

  async #gated<R>(look: () => R): Promise<R> {
    await this.gate();
    if (this.#closed) throw new LogError("closed", "The log is closed");
    const seen = look();
    await this.gate();
    return seen;
  }

  #expire(): void {
    const { retainAgeMs = Infinity, now } = this.#options;
    const oldest = now() - retainAgeMs;
    if (this.#entries.some((entry) => entry.time <= oldest)) {
      this.#entries = this.#entries.filter((entry) => entry.time > oldest);
    }
  }

  #wake(): void {
    for (const wake of [...this.#awaiting]) wake();
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#awaiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#awaiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}
