import { type Entry, entryFault, LogError, type NewEntry } from "../log/event_log.ts";
import { NAMESPACES } from "../log/jetstream_stream.ts";
import { type Header, nameOf } from "./archive_line.ts";
import type { Part } from "./archive_reader.ts";
import { bodyWithTime } from "./event_time.ts";
import { MAX_IN_FLIGHT, namedEntry, type Standing, type Target } from "./imported.ts";
import { FromElsewhere, type ThereAlready } from "./from_elsewhere.ts";

/** So many bytes of bodies may be on their way at once; one batch alone always may. */
const MAX_BYTES_IN_FLIGHT = 16 * 1024 * 1024;
/** A larger body is left out: what NATS takes by default less room for headers; events are at most 64 KiB. */
const MAX_BODY_BYTES = 1_048_576 - 4_096;

/** A line, and what is wrong with it. */
export type Remark = { readonly line: number; readonly rule: string };

/** What an import came to. */
export type ImportResult = {
  /** Records stored by this run. */
  readonly stored: number;
  /** Records that an earlier run had stored. */
  readonly known: number;
  /** Records that no log takes: how many, and the first of them. */
  readonly leftOut: { readonly count: number; readonly first: readonly Remark[] };
  /** Records that are none of those asked for. */
  readonly passedOver: number;
  /** Tasks and channels that the target has from elsewhere, of which nothing was stored. */
  readonly thereAlready: ThereAlready;
  /** Up to which position of the archive's log all is stored. */
  readonly through: number;
  /** Lines that break a rule: how many, and the first of them. Nothing from the checkpoint before them on is stored. */
  readonly broken: { readonly count: number; readonly first: readonly Remark[] };
  /** Why the file is no whole one, where it is cut off. */
  readonly cut?: Remark;
};

/** How an import is done. */
export type ImportOptions = {
  readonly parts: AsyncIterable<Part>;
  /** Absent: the file is read and judged, and nothing is stored. */
  readonly target?: Target;
  /** Whether the target may hold other records already. */
  readonly append: boolean;
  /** Whether the records of a subject are to be stored. Default: all. */
  readonly only?: ((subject: string) => boolean) | undefined;
  /** Ends the import after what is on its way; it can go on from there. */
  readonly signal: AbortSignal;
  /** Told after every checkpoint. */
  readonly onProgress?: (through: number, records: number) => void;
};

/** The target holds records of others, or of nobody knows whom, and that was not allowed. */
export class NotEmpty extends Error {
  override name = "NotEmpty";
}

/** So many remarks are kept of a kind. */
const KEPT_REMARKS = 20;

/**
 * Stores the records of an archive in order, each checkpoint's when all of them are known to be whole. Rejects with
 * {@link NotEmpty}, and with `LogError` when the target fails; what was stored until then is known to the next run.
 */
export async function importArchive(options: ImportOptions): Promise<ImportResult> {
  const { parts, target, append, signal, onProgress, only = () => true } = options;
  const leftOut = new Remarks();
  const broken = new Remarks();
  let flight: Flight | undefined;
  let cut: Remark | undefined;
  let through = 0;
  let read = 0;
  let known = 0;
  let passedOver = 0;
  try {
    for await (const part of parts) {
      if (signal.aborted) break;
      switch (part.kind) {
        case "header":
          through = part.header.after;
          if (target !== undefined) flight = await started(target, part.header, append);
          break;
        case "records": {
          const taken = takenBy(part.entries, part.from, leftOut);
          const entries = taken.filter(({ subject }) => only(subject));
          passedOver += taken.length - entries.length;
          if (flight !== undefined) {
            const missing = flight.missing(entries);
            known += entries.length - missing.length;
            await flight.send(await flight.elsewhere.without(missing), part);
          }
          read += part.entries.length;
          through = part.place.through;
          onProgress?.(through, read);
          break;
        }
        case "broken":
          broken.add(part.line, part.rule);
          break;
        case "cut":
          cut = { line: part.line, rule: part.why };
          break;
      }
    }
  } finally {
    await flight?.landed();
  }
  return {
    stored: flight?.stored ?? 0,
    known,
    leftOut: leftOut.told(),
    passedOver,
    thereAlready: flight?.elsewhere.told() ?? { count: 0, records: 0, first: [] },
    through,
    broken: broken.told(),
    ...(cut === undefined ? {} : { cut }),
  };
}

async function started(target: Target, header: Header, append: boolean): Promise<Flight> {
  const name = nameOf(header);
  const [extent, standing] = [await target.log.extent(), await target.standing(name)];
  const isEmpty = extent.firstSeq > extent.lastSeq;
  if (!standing.isBegun && !append && !isEmpty) {
    throw new NotEmpty(
      `The target holds records already (positions ${extent.firstSeq}–${extent.lastSeq})`,
    );
  }
  return new Flight(target, name, standing, new FromElsewhere(isEmpty ? undefined : target.log, standing));
}

/** Those that a log takes; the others are remarked. `from` is the line of the first. */
function takenBy(entries: readonly Entry[], from: number, leftOut: Remarks): readonly Entry[] {
  return entries.filter(({ subject, body }, i) => {
    const fault = body.length > MAX_BODY_BYTES
      ? `body: must be at most ${MAX_BODY_BYTES} bytes`
      : entryFault({ subject, body }) ?? namespaceFault(subject);
    if (fault !== undefined) leftOut.add(from + i, fault);
    return fault === undefined;
  });
}

function namespaceFault(subject: string): string | undefined {
  const isOurs = NAMESPACES.some((namespace) => subject.startsWith(`${namespace}.`));
  return isOurs ? undefined : `subject: must begin with ${NAMESPACES.join("., ")}.`;
}

/** Batches on their way to the target: several at once, in order. */
class Flight {
  stored = 0;
  readonly elsewhere: FromElsewhere;
  readonly #target: Target;
  readonly #name: string;
  readonly #standing: Standing;
  readonly #batches: { readonly records: number; readonly bytes: number; readonly done: Promise<void> }[] =
    [];
  #failure: unknown;

  constructor(target: Target, name: string, standing: Standing, elsewhere: FromElsewhere) {
    this.#target = target;
    this.#name = name;
    this.#standing = standing;
    this.elsewhere = elsewhere;
  }

  missing(entries: readonly Entry[]): readonly Entry[] {
    return entries.filter((entry) => !this.#standing.has(entry));
  }

  /** Sends a batch as soon as there is room; rejects when one before it has failed. */
  async send(
    entries: readonly Entry[],
    { from, to }: { readonly from: number; readonly to: number },
  ): Promise<void> {
    for (let i = 0; i < entries.length;) {
      // A checkpoint of another program may sum up more than may be on its way.
      const batch: NewEntry[] = [];
      let bytes = 0;
      for (; i < entries.length && batch.length < MAX_IN_FLIGHT / 4 && bytes < MAX_BYTES_IN_FLIGHT; i++) {
        const entry = entries[i];
        if (entry === undefined) break;
        const made = this.#made(entry);
        bytes += made.body.length;
        batch.push(made);
      }
      await this.#room(batch.length, bytes);
      const done = this.#target.log.append(batch).then((outcomes) => {
        this.stored += outcomes.filter(({ duplicate }) => !duplicate).length;
      }, (error) => {
        this.#failure ??= told(error, from, to);
      });
      this.#batches.push({ records: batch.length, bytes, done });
    }
  }

  /** Resolves when all that was sent is stored; rejects when something was not. */
  async landed(): Promise<void> {
    await Promise.all(this.#batches.splice(0).map(({ done }) => done));
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #room(records: number, bytes: number): Promise<void> {
    const sum = (of: "records" | "bytes"): number => this.#batches.reduce((all, batch) => all + batch[of], 0);
    const isFull = (): boolean =>
      this.#batches.length >= this.#target.batches || sum("records") + records > MAX_IN_FLIGHT ||
      sum("bytes") + bytes > MAX_BYTES_IN_FLIGHT;
    while (this.#batches.length > 0 && this.#failure === undefined && isFull()) {
      await this.#batches.shift()?.done;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #made(entry: Entry): NewEntry {
    const { seq, subject, traceparent } = entry;
    const made = { subject, body: bodyWithTime(entry), ...namedEntry(this.#name, seq) };
    // A stranger's may be none.
    const isTrace = traceparent !== undefined && entryFault({ ...made, traceparent }) === undefined;
    return isTrace ? { ...made, traceparent } : made;
  }
}

function told(error: unknown, from: number, to: number): unknown {
  if (!(error instanceof LogError)) return error;
  return new LogError(error.code, `The records of lines ${from}–${to} were not stored: ${error.message}`, {
    cause: error,
  });
}

/** The first remarks, and how many there are. */
class Remarks {
  readonly #first: Remark[] = [];
  #count = 0;

  add(line: number, rule: string): void {
    this.#count++;
    if (this.#first.length < KEPT_REMARKS) this.#first.push({ line, rule });
  }

  told(): { readonly count: number; readonly first: readonly Remark[] } {
    return { count: this.#count, first: this.#first };
  }
}
