import { type Appended, LogError, type NewEntry } from "./event_log.ts";

/** Most records in one transaction. */
const GROUP_RECORDS = 500;
/** Longest time one transaction takes records in: a heartbeat of the event loop. */
const GROUP_MS = 5;
/**
 * Most records that may wait for their acknowledgement; an append over it is `unreachable`: ask again later.
 */
const WAITING_RECORDS = 100_000;
/** Most bytes of bodies that may wait for it, likewise. One append alone always may. */
const WAITING_BYTES = 64 * 1024 * 1024;

/** One call to append: what it brought, and what became of the records stored so far. */
export type Append = {
  readonly entries: readonly NewEntry[];
  readonly outcomes: Appended[];
  readonly resolve: (outcomes: readonly Appended[]) => void;
  readonly reject: (error: LogError) => void;
};

/** Appends that wait to be written: those of one turn of the event loop are one group, one transaction. */
export class AppendQueue {
  readonly #waiting: Append[] = [];
  #records = 0;
  #bytes = 0;

  /** Whether nothing waits to be written. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Queues an append; resolves as it is settled. It counts against the bounds until then. */
  async add(entries: readonly NewEntry[]): Promise<readonly Appended[]> {
    const bytes = entries.reduce((sum, entry) => sum + entry.body.length, 0);
    const full = this.#records + entries.length > WAITING_RECORDS || this.#bytes + bytes > WAITING_BYTES;
    if (full && this.#records > 0) {
      throw new LogError("unreachable", "The log cannot keep up: too many records wait to be written");
    }
    const { promise, resolve, reject } = Promise.withResolvers<readonly Appended[]>();
    this.#waiting.push({ entries, outcomes: [], resolve, reject });
    this.#records += entries.length;
    this.#bytes += bytes;
    try {
      return await promise;
    } finally {
      this.#records -= entries.length;
      this.#bytes -= bytes;
    }
  }

  /** Hands waiting records in order to `put`, as many as one group takes. A large append takes several. */
  fill(put: (entry: NewEntry) => Appended): void {
    const end = performance.now() + GROUP_MS;
    let records = 0;
    for (const { entries, outcomes } of this.#waiting) {
      for (const entry of entries.slice(outcomes.length, outcomes.length + GROUP_RECORDS)) {
        if (records === GROUP_RECORDS || performance.now() > end) return;
        outcomes.push(put(entry));
        records++;
      }
      if (outcomes.length < entries.length) return;
    }
  }

  /** Takes out the appends whose records have all been put. */
  takeFilled(): readonly Append[] {
    const open = this.#waiting.findIndex(({ entries, outcomes }) => outcomes.length < entries.length);
    return this.#waiting.splice(0, open === -1 ? this.#waiting.length : open);
  }

  /** Takes out every append: where one group could not be written, the next one could not either. */
  takeAll(): readonly Append[] {
    return this.#waiting.splice(0);
  }
}
